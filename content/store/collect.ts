import { errorMessage } from '#contracts'
import type { Logger } from '#contracts'
import { fileError } from '../files.ts'
import { forEachParallel } from '../parallel.ts'
import {
  COLLECT_PARALLEL,
  DEAD_RATIO_MIN,
  RUN_BYTES_MAX,
  SMALL_PACK_BYTES,
  SMALL_PACKS_MAX
} from './constants.ts'
import { IndexEntries, readIndexFile, writeIndexFile } from './index-file.ts'
import { cidOfRecord, isIntact, PACK_MAGIC, recordBytes } from './record.ts'
import { scanRecords } from './scan.ts'
import type { SweepInit, SweepResult } from '../block-store.ts'
import type { IndexEntry } from './index-file.ts'
import type { Pack } from './pack.ts'
import type { PackSet } from './pack-set.ts'
import type { PackWriter } from './pack-writer.ts'

/** What packs are collected with. */
export interface CollectComponents {
  set: PackSet
  writer: PackWriter
  logger: Logger
}

/** The blocks that are found in a pack, without their bytes; none when a collection removes it meanwhile. */
export async function liveEntries(
  { set, writer }: Pick<CollectComponents, 'set' | 'writer'>,
  pack: Pack
): Promise<IndexEntry[]> {
  let entries: IndexEntry[]
  try {
    entries = [...((await knownEntries(set, writer, pack)) ?? (await scanEntries(set, pack)))]
  } catch (thrown) {
    if (set.has(pack)) throw thrown
    return []
  }
  return entries.filter(({ id, offset }) => set.isAt(id, { pack: pack.number, offset, length: 0 }))
}

async function knownEntries(
  set: PackSet,
  writer: PackWriter,
  pack: Pack
): Promise<Iterable<IndexEntry> | undefined> {
  const written = writer.entriesOf(pack)
  if (written !== undefined) return written
  const index = await readIndexFile(set.files, pack)
  return index?.coveredBytes === pack.bytes ? index.entries.all() : undefined
}

async function scanEntries(set: PackSet, pack: Pack): Promise<IndexEntry[]> {
  const entries = new IndexEntries()
  await set.open.use(pack, async (file) => {
    for await (const { header, offset } of scanRecords(file, {
      position: PACK_MAGIC.length,
      end: pack.bytes
    })) {
      entries.add({ id: header, offset, length: header.length })
    }
  })
  return [...entries.all()]
}

/**
 * Removes what nothing keeps and nobody uses, pack after pack, while others read and append. A pack in which nothing
 * is left goes; dead blocks at its end are cut off, which needs no room; when much of it is dead the rest is copied,
 * the copies are forced to the disk, and then it goes. Stopping at any moment loses nothing.
 *
 * @throws ContentError `ERR_DISK_FULL` when there was no room for a copy, after everything else was collected;
 *   `ERR_STORE_IO`, and whatever `isKept` throws
 */
export async function collectPacks(o: CollectComponents, init: SweepInit): Promise<SweepResult> {
  const { set, writer } = o
  // What is used from here on, or since the oldest hold began, is spared.
  const spared = set.holds.begin()
  await writer.seal()
  const total = { blocksKept: 0, blocksRemoved: 0, bytesFreed: 0 }
  let failure: Error | undefined
  const sealed = set.all().filter(({ isSealed }) => isSealed)
  const small = sealed.filter(({ bytes }) => bytes < SMALL_PACK_BYTES)
  const joined = new Set(small.length > SMALL_PACKS_MAX ? small : [])
  for (const pack of sealed) {
    init.signal.throwIfAborted()
    const kept = await dropDead(o, { pack, spared }, init)
    total.blocksKept += kept.entries.length
    total.blocksRemoved += kept.removed
    try {
      total.bytesFreed += await shrink(o, pack, {
        kept: kept.entries,
        wasChanged: kept.removed > 0,
        isJoined: joined.has(pack)
      })
    } catch (thrown) {
      failure ??= fileError(thrown, 'cannot collect a pack')
    }
  }
  if (failure !== undefined) throw failure
  return total
}

interface Kept {
  readonly entries: readonly IndexEntry[]
  readonly removed: number
}

async function dropDead(
  { set, writer }: CollectComponents,
  { pack, spared }: { pack: Pack; spared: number },
  { isKept, signal }: SweepInit
): Promise<Kept> {
  const live = await liveEntries({ set, writer }, pack)
  const kept: IndexEntry[] = []
  let removed = 0
  await forEachParallel(live, COLLECT_PARALLEL, async (entry) => {
    signal.throwIfAborted()
    const { id, offset, length } = entry
    const place = { pack: pack.number, offset, length }
    const isDead = set.touchedAt(id) < spared && !(await isKept(cidOfRecord(id)))
    // It may have been used, or moved, while the answer was on its way.
    if (isDead && set.touchedAt(id) < spared && set.drop(id, place)) removed++
    else if (set.isAt(id, place)) kept.push(entry)
  })
  kept.sort((a, b) => a.offset - b.offset)
  return { entries: kept, removed }
}

/** Resolves with the bytes of disk that it gave back. */
async function shrink(
  o: CollectComponents,
  pack: Pack,
  { kept, wasChanged, isJoined }: { kept: readonly IndexEntry[]; wasChanged: boolean; isJoined: boolean }
): Promise<number> {
  const { set } = o
  const before = pack.bytes
  const last = kept.at(-1)
  if (last === undefined) {
    await set.remove(pack)
    return before
  }
  const end = last.offset + recordBytes(last.id.digest.length, last.length)
  const hasDeadEnd = end < pack.bytes
  if (hasDeadEnd) await cut(set, pack, end)
  const dead = pack.bytes - PACK_MAGIC.length - pack.liveBytes
  if (isJoined || (dead > 0 && dead >= pack.bytes * DEAD_RATIO_MIN)) {
    const copied = await move(o, pack)
    return before - copied
  }
  if (wasChanged || hasDeadEnd) await reindex(o, pack, kept)
  return before - pack.bytes
}

async function cut(set: PackSet, pack: Pack, end: number): Promise<void> {
  // First the index file: it must never cover what is not there.
  await set.files.removeFile(pack.indexPath)
  await using file = await set.files.openStored(pack.path, 'write')
  await file.truncate(end)
  pack.bytes = end
  pack.syncedBytes = Math.min(pack.syncedBytes, end)
  pack.durableBytes = Math.min(pack.durableBytes, end)
}

/** Copies what lives in a pack to the newest one and removes it. Resolves with the bytes copied. */
async function move({ set, writer, logger }: CollectComponents, pack: Pack): Promise<number> {
  let copied = 0
  let pending: Promise<void>[] = []
  let pendingBytes = 0
  const settle = async (): Promise<void> => {
    await Promise.all(pending)
    pending = []
    pendingBytes = 0
  }
  await set.open.use(pack, async (file) => {
    try {
      for await (const { header, offset, bytes } of scanRecords(file, {
        position: PACK_MAGIC.length,
        end: pack.bytes
      })) {
        const cid = cidOfRecord({ code: header.code, digest: new Uint8Array(header.digest) })
        const movedFrom = { pack: pack.number, offset, length: header.length }
        if (!set.isAt(cid.multihash, movedFrom)) continue
        if (bytes.length !== header.length || !isIntact(header, bytes)) {
          logger.error('a block was corrupt on disk and is removed', { cid: cid.toString() })
          set.drop(cid.multihash, movedFrom)
          continue
        }
        // The scan reuses its memory.
        const copy = writer.append({ cid, bytes: new Uint8Array(bytes), durable: true, movedFrom })
        copy.catch(() => undefined)
        pending.push(copy)
        pendingBytes += bytes.length
        copied += recordBytes(header.digest.length, header.length)
        if (pendingBytes >= RUN_BYTES_MAX) await settle()
      }
    } finally {
      await Promise.allSettled(pending)
    }
    await settle()
  })
  await writer.flush()
  // Damage may have hidden the header of a block; then it stays where it is.
  if (pack.liveCount === 0) await set.remove(pack)
  else logger.error('a pack has blocks that cannot be read', { path: pack.path, blocks: pack.liveCount })
  return copied
}

async function reindex(
  { set, logger }: CollectComponents,
  pack: Pack,
  kept: readonly IndexEntry[]
): Promise<void> {
  const entries = new IndexEntries()
  for (const entry of kept) entries.add(entry)
  try {
    await set.open.use(pack, async (file) => await file.flush())
    await writeIndexFile(set.files, pack, { coveredBytes: pack.bytes, entries })
  } catch (thrown) {
    logger.warn('could not index a pack', { path: pack.path, reason: errorMessage(thrown) })
  }
}
