import type { Clock } from '#contracts'
import type { GossipInternals } from './internals.ts'

/** What gossipsub keeps of how a peer behaved. */
interface PeerStats {
  readonly connected: boolean
  /** Until when it is remembered of a peer that is gone, milliseconds since the Unix epoch. */
  readonly expire: number
  readonly behaviourPenalty: number
  readonly topics: object
}

/** The scores of gossipsub, as far as they change by themselves; held by the test of this file. */
export interface Scores {
  readonly peerStats: ReadonlyMap<string, PeerStats>
  refreshScores(): void
  /** Holds something against a peer. */
  addPenalty(peerId: string, ...penalty: readonly unknown[]): void
}

/**
 * How often it is not even looked whether something changes by itself, once nothing did: topics are not scored, and what is held
 * against somebody is told. Those who are gone are forgotten so many seconds late.
 */
const RESTS_MAX = 9

/**
 * Lets scores rest that would stay what they are. Gossipsub goes through all peers each second to let what it holds against them
 * fade: of a node that has nothing against anybody that was most of what gossip did while nobody spoke.
 */
export function restScores({ score }: Pick<GossipInternals, 'score'>, clock: Pick<Clock, 'nowMs'>): void {
  const refresh = score.refreshScores.bind(score)
  const penalize = score.addPenalty.bind(score)
  let restsLeft = 0
  score.addPenalty = (...of) => {
    restsLeft = 0
    penalize(...of)
  }
  score.refreshScores = () => {
    if (restsLeft-- > 0) return
    const nowMs = clock.nowMs()
    for (const stats of score.peerStats.values()) {
      if (!isDue(stats, nowMs)) continue
      restsLeft = 0
      refresh()
      return
    }
    restsLeft = RESTS_MAX
  }
}

function isDue({ connected, expire, behaviourPenalty, topics }: PeerStats, nowMs: number): boolean {
  if (!connected) return nowMs > expire
  if (behaviourPenalty !== 0) return true
  for (const _topic in topics) return true
  return false
}
