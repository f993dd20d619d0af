import type { CID } from 'multiformats/cid'
import { errorCode } from '#contracts'
import { blockKey, RAW_CODEC } from './cid.ts'
import { GC_MARKS_MAX } from './constants.ts'
import { linksOf } from './dag-links.ts'
import { ContentError } from './errors.ts'
import type { BlockStore, SweepResult } from './block-store.ts'
import type { RootIndex } from './root-index.ts'
import type { UnfinishedGets } from './unfinished-gets.ts'

/** What a collection did. */
export type CollectResult = SweepResult

/**
 * Removes the blocks that lie under no pin and no unfinished get, while others add, get, pin and serve. Interrupting
 * it at any point loses nothing that is kept.
 *
 * @throws ContentError `ERR_STORE_IO` when a pin record cannot be read, for its blocks could not be told from
 *   garbage; `ERR_CONTENT_TOO_LARGE`; what `BlockStore.sweep` throws
 */
export async function collectGarbage(o: {
  store: BlockStore
  roots: RootIndex
  unfinished: UnfinishedGets
  signal: AbortSignal
}): Promise<CollectResult> {
  const { store, roots, signal } = o
  if (roots.unreadableCount > 0) {
    throw new ContentError(
      'ERR_STORE_IO',
      `${roots.unreadableCount} pin records are unreadable: nothing is removed`
    )
  }
  await roots.sweep(signal)
  // A get that begins after this is at work, and what it uses is held.
  const marks = new Set<string>()
  for (const root of await o.unfinished.current()) await markPresent(root, store, marks)
  return await store.sweep({
    isKept: async (cid) => marks.has(blockKey(cid)) || (await roots.isKept(cid)),
    signal
  })
}

/** Marks what is here of a DAG that is not whole: missing and corrupt blocks have nothing below them. */
async function markPresent(root: CID, store: BlockStore, marks: Set<string>): Promise<void> {
  const seen = new Set<string>()
  const pending = [root]
  for (let cid = pending.pop(); cid !== undefined; cid = pending.pop()) {
    const key = blockKey(cid)
    if (marks.size >= GC_MARKS_MAX || seen.size >= GC_MARKS_MAX) {
      throw new ContentError('ERR_CONTENT_TOO_LARGE', `unfinished gets have more than ${GC_MARKS_MAX} blocks`)
    }
    marks.add(key)
    if (cid.code === RAW_CODEC || seen.has(`${cid.code}${key}`)) continue
    seen.add(`${cid.code}${key}`)
    for (const below of await presentLinks(cid, store)) pending.push(below)
  }
}

async function presentLinks(cid: CID, store: BlockStore): Promise<CID[]> {
  try {
    const bytes = await store.get(cid)
    return bytes === undefined ? [] : linksOf(cid, bytes)
  } catch (thrown) {
    const code = errorCode(thrown)
    if (code === 'ERR_BLOCK_CORRUPT' || code === 'ERR_DAG_MALFORMED' || code === 'ERR_CID_UNSUPPORTED')
      return []
    throw thrown
  }
}
