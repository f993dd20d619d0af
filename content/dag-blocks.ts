import type { CID } from 'multiformats/cid'
import type { BlockReader } from './block-source.ts'
import type { BlockStore } from './block-store.ts'
import { blockKey, inlineBlock } from './cid.ts'
import { walkDag } from './dag-walk.ts'

/** A block of a DAG and how many bytes it has. */
export interface DagBlock {
  readonly cid: CID
  readonly bytes: number
}

/**
 * Every block of a DAG once, parents before children: the same order wherever the DAG is. Leaves of raw bytes that the store
 * has are not read.
 *
 * @throws ContentError as {@link walkDag} and the reader
 */
export async function* blocksOfDag(
  root: CID,
  { store, reader }: { store: Pick<BlockStore, 'has' | 'sizeOf'>; reader: Pick<BlockReader, 'get'> }
): AsyncGenerator<DagBlock> {
  const seen = new Set<string>()
  const walk = walkDag(root, {
    fetch: async (cid) => await reader.get(cid),
    hasLeaf: async (cid) => inlineBlock(cid) !== undefined || (await store.has(cid))
  })
  for await (const cid of walk) {
    const key = blockKey(cid)
    if (seen.has(key)) continue
    seen.add(key)
    const bytes = inlineBlock(cid)?.length ?? (await store.sizeOf(cid)) ?? (await reader.get(cid)).length
    yield { cid, bytes }
  }
}
