import type { CID } from 'multiformats/cid'
import type { Clock } from '#contracts'
import { blockKey, DAG_PB_CODEC, RAW_CODEC } from './cid.ts'
import { DAG_NODES_MAX, LATE_STEPS_BYTES_MIN, READ_AHEAD_BLOCKS } from './constants.ts'
import { linksOf } from './dag-links.ts'
import { firstLink, quickLinkCount } from './dag-pb-links.ts'
import { ContentError } from './errors.ts'
import { traverse } from './traverse.ts'
import type { LateSteps, WalkStep } from './traverse.ts'

/** How a DAG is walked. */
export interface DagWalkInit {
  fetch(cid: CID): Promise<Uint8Array>
  /** Whether a leaf of raw bytes need not be fetched: it links to nothing. */
  hasLeaf(cid: CID): Promise<boolean>
  /** Where there is one, the first leaf of a block with many is fetched before the links to the others are decoded. */
  clock?: Pick<Clock, 'after'> | undefined
}

/**
 * Every block of a DAG, parents before children, whatever its codecs. Blocks with links come once, so that a DAG
 * whose parts are shared costs its blocks and not its paths; leaves may come again.
 *
 * @throws ContentError `ERR_CONTENT_TOO_LARGE` beyond `DAG_NODES_MAX` blocks with links, `ERR_DAG_MALFORMED`, and
 *   whatever `fetch` throws
 */
export async function* walkDag(root: CID, { fetch, hasLeaf, clock }: DagWalkInit): AsyncGenerator<CID> {
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
    expand: ({ cid }, bytes) => {
      if (cid.code === RAW_CODEC) return []
      const below = (): WalkStep[] => stepsOf(linksOf(cid, bytes).filter(isNew))
      return (clock && late(cid, bytes, below)) ?? below()
    },
    aheadMax: READ_AHEAD_BLOCKS,
    clock
  })
  for await (const { step } of walk) yield step.cid
}

function stepsOf(cids: readonly CID[]): WalkStep[] {
  return cids.map((cid) => ({ cid }))
}

/** What is below a block with many links of the usual kind that begins with a leaf. */
function late(cid: CID, bytes: Uint8Array, below: () => WalkStep[]): LateSteps<WalkStep> | undefined {
  if (cid.code !== DAG_PB_CODEC || bytes.length < LATE_STEPS_BYTES_MIN) return undefined
  const first = quickLinkCount(bytes) === undefined ? undefined : firstLink(bytes)
  if (first?.code !== RAW_CODEC) return undefined
  return { first: { cid: first }, others: () => below().slice(1) }
}
