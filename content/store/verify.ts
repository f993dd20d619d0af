import type { CID } from 'multiformats/cid'
import type { Logger } from '#contracts'
import { liveEntries } from './collect.ts'
import { cidOfRecord, matchesDigest, PACK_MAGIC } from './record.ts'
import { scanRecords } from './scan.ts'
import type { VerifyInit, VerifyResult } from '../block-store.ts'
import type { Pack } from './pack.ts'
import type { PackSet } from './pack-set.ts'
import type { PackWriter } from './pack-writer.ts'

/**
 * Reads every pack from front to back and hashes every block that is found there. A corrupt one is removed, as reading
 * it would.
 *
 * @throws ContentError `ERR_STORE_IO`
 */
export async function verifyPacks(
  o: { set: PackSet; writer: PackWriter; logger: Logger },
  init: VerifyInit
): Promise<VerifyResult> {
  const corrupt: CID[] = []
  let blocks = 0
  let bytes = 0
  for (const pack of o.set.all()) {
    if (pack.bytes === 0) continue
    // Listed before it is read, so that everything listed lies in what is read.
    const listed = await liveEntries(o, pack)
    const intact = listed.length === 0 ? new Set<number>() : await intactIn(o.set, pack, init.signal)
    for (const { id, offset, length } of listed) {
      const place = { pack: pack.number, offset, length }
      if (intact.has(offset)) {
        blocks++
        bytes += length
      } else if (o.set.drop(id, place)) {
        const cid = cidOfRecord(id)
        o.logger.error('a block was corrupt on disk and is removed', { cid: cid.toString() })
        corrupt.push(cid)
      }
    }
    init.onProgress?.({ blocks, bytes })
  }
  return { blocks, bytes, corrupt }
}

/** Where the blocks begin that hash to their names. */
async function intactIn(set: PackSet, pack: Pack, signal: AbortSignal): Promise<Set<number>> {
  const intact = new Set<number>()
  // All that was in a pack which a collection has removed lies elsewhere now.
  if (!set.has(pack)) return intact
  await set.open.use(pack, async (file) => {
    const end = Math.min(pack.bytes, await file.size())
    for await (const { header, offset, bytes } of scanRecords(file, { position: PACK_MAGIC.length, end })) {
      signal.throwIfAborted()
      const place = { pack: pack.number, offset, length: header.length }
      const isWhole = bytes.length === header.length && set.isAt(header, place)
      if (isWhole && matchesDigest(header, bytes)) intact.add(offset)
    }
  })
  return intact
}
