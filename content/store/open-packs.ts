import { errorMessage } from '#contracts'
import type { Logger } from '#contracts'
import { forEachParallel } from '../parallel.ts'
import { OPEN_PARALLEL } from './constants.ts'
import { IndexEntries, readIndexFile } from './index-file.ts'
import { decodeHeader, HEADER_BYTES, matchesDigest, PACK_MAGIC } from './record.ts'
import { scanRecords } from './scan.ts'
import type { StoredFile } from '../files.ts'
import type { IndexEntry, IndexFile } from './index-file.ts'
import type { Pack } from './pack.ts'
import type { PackSet } from './pack-set.ts'

const PACK_NAME = /^(\d{8})\.pack$/
const NAMES_MAX = 4_000_000

/** The pack that was written to last; writing goes on there. */
export interface OpenedPack {
  readonly pack: Pack
  readonly entries: IndexEntries
}

/**
 * Finds the blocks of every pack in the folder. What an index file covers was on the disk before that file was
 * written and is taken as it says; the rest of the pack is read, each block of it hashed, and what a crash tore is
 * left out. Of a block that is in two packs the newer copy counts.
 */
export async function openPacks(set: PackSet, logger: Logger): Promise<OpenedPack | undefined> {
  const names = await set.files.listNames(set.folder, NAMES_MAX)
  const packs = names
    .flatMap((name) => PACK_NAME.exec(new TextDecoder().decode(name))?.[1] ?? [])
    .map(Number)
    .filter((number) => number > 0)
    .sort((a, b) => a - b)
    .map((number) => set.add(number))
  let last: OpenedPack | undefined
  // Some are read at a time; they are taken in their order, so that the newer copy of a block counts.
  for (let from = 0; from < packs.length; from += OPEN_PARALLEL) {
    const some = packs.slice(from, from + OPEN_PARALLEL)
    const found = new Map<Pack, IndexEntries>()
    await forEachParallel(some, OPEN_PARALLEL, async (pack) => {
      pack.isSealed = pack !== packs.at(-1)
      found.set(pack, await readPack(set, pack, logger))
    })
    for (const pack of some) {
      const entries = found.get(pack) ?? new IndexEntries()
      for (const entry of entries.all()) place(set, pack, entry)
      last = { pack, entries }
    }
  }
  return last
}

function place(set: PackSet, pack: Pack, { id, offset, length }: IndexEntry): void {
  set.put(id, { pack: pack.number, offset, length }, 0)
}

async function readPack(set: PackSet, pack: Pack, logger: Logger): Promise<IndexEntries> {
  const index = await readIndexFile(set.files, pack)
  return await set.open.use(pack, async (file) => {
    const size = await file.size()
    const known = index !== undefined && (await isIndexOf(file, size, index)) ? index : undefined
    if (index !== undefined && known === undefined) {
      logger.error('a pack of blocks is not what its index file says', { path: pack.path, bytes: size })
    }
    const { coveredBytes, entries } = known ?? { coveredBytes: 0, entries: new IndexEntries() }
    pack.bytes = coveredBytes
    pack.syncedBytes = known === undefined ? 0 : coveredBytes
    if (coveredBytes === size) return entries
    const lost = await scanTail({ file, pack, entries, size })
    if (lost > 0) logger.warn('left out what a crash tore', { path: pack.path, bytes: lost })
    // Best effort: what comes next is written over it anyway.
    if (!pack.isSealed && pack.bytes < size) {
      await file.truncate(pack.bytes).catch((thrown: unknown) => {
        logger.warn('could not cut a pack', { path: pack.path, reason: errorMessage(thrown) })
      })
    }
    return entries
  })
}

/**
 * Whether an index file can be that of this pack: it covers what is there, and the last record is where it says. A power cut
 * may leave the index file of a pack that is gone, whose number another pack has now.
 */
async function isIndexOf(
  file: StoredFile,
  size: number,
  { coveredBytes, entries }: IndexFile
): Promise<boolean> {
  if (coveredBytes > size) return false
  const last = entries.last()
  if (last === undefined) return true
  const found = new Uint8Array(HEADER_BYTES.max)
  const header = decodeHeader(found.subarray(0, await file.readAt(found, last.offset)))
  return header !== undefined && Buffer.compare(header.digest, last.id.digest) === 0
}

/** Resolves with the bytes that hold no block. */
async function scanTail(o: {
  file: StoredFile
  pack: Pack
  entries: IndexEntries
  size: number
}): Promise<number> {
  const { file, pack, entries, size } = o
  const position = pack.bytes
  let found = position === 0 ? Math.min(PACK_MAGIC.length, size) : 0
  for await (const { header, offset, end, bytes } of scanRecords(file, {
    position: position === 0 ? PACK_MAGIC.length : position,
    end: size
  })) {
    if (bytes.length !== header.length || !matchesDigest(header, bytes)) continue
    entries.add({ id: header, offset, length: header.length })
    pack.bytes = end
    found += end - offset
  }
  return size - position - found
}
