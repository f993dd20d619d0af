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
}

/**
 * Lets scores rest that would stay what they are. Gossipsub goes through all peers each second to let what it holds against them
 * fade: of a node that has nothing against anybody that was most of what gossip did while nobody spoke.
 */
export function restScores({ score }: Pick<GossipInternals, 'score'>, clock: Pick<Clock, 'nowMs'>): void {
  const refresh = score.refreshScores.bind(score)
  score.refreshScores = () => {
    const nowMs = clock.nowMs()
    for (const stats of score.peerStats.values()) {
      if (!isDue(stats, nowMs)) continue
      refresh()
      return
    }
  }
}

function isDue({ connected, expire, behaviourPenalty, topics }: PeerStats, nowMs: number): boolean {
  if (!connected) return nowMs > expire
  if (behaviourPenalty !== 0) return true
  for (const _topic in topics) return true
  return false
}
