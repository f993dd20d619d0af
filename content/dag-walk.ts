import type { CID } from 'multiformats/cid'
import { blockKey, RAW_CODEC } from './cid.ts'
import { DAG_NODES_MAX, READ_AHEAD_BLOCKS } from './constants.ts'
import { linksOf } from './dag-links.ts'
import { ContentError } from './errors.ts'
import { traverse } from './traverse.ts'

/** How a DAG is walked. */
export interface DagWalkInit {
  fetch(cid: CID): Promise<Uint8Array>
  /** Whether a leaf of raw bytes need not be fetched: it links to nothing. */
  hasLeaf(cid: CID): Promise<boolean>
}

/**
 * Every block of a DAG, parents before children, whatever its codecs. Blocks with links come once, so that a DAG
 * whose parts are shared costs its blocks and not its paths; leaves may come again.
 *
 * @throws ContentError `ERR_CONTENT_TOO_LARGE` beyond `DAG_NODES_MAX` blocks with links, `ERR_DAG_MALFORMED`, and
 *   whatever `fetch` throws
 */
export async function* walkDag(root: CID, { fetch, hasLeaf }: DagWalkInit): AsyncGenerator<CID> {
  const seen = new Set<string>()
  const isNew = (cid: CID): boolean => {
    if (cid.code === RAW_CODEC) return true
    const key = `${cid.code}${blockKey(cid)}`
    if (seen.has(key)) return false
    if (seen.size >= DAG_NODES_MAX) {
      throw new ContentError(
        'ERR_CONTENT_TOO_LARGE',
        `the content has more than ${DAG_NODES_MAX} inner blocks`
      )
    }
    seen.add(key)
    return true
  }
  const walk = traverse([{ cid: root }], {
    fetch: async ({ cid }) => {
      const isEnough = cid.code === RAW_CODEC && (await hasLeaf(cid))
      return isEnough ? new Uint8Array() : await fetch(cid)
    },
    expand: ({ cid }, bytes) =>
      cid.code === RAW_CODEC
        ? []
        : linksOf(cid, bytes)
            .filter(isNew)
            .map((below) => ({ cid: below })),
    aheadMax: READ_AHEAD_BLOCKS
  })
  for await (const { step } of walk) yield step.cid
}
