import type { GossipInternals } from './internals.ts'

/** So many heartbeats in a row are left out while there is no topic. */
const RESTS_MAX = 7

/** What of gossipsub beats; held by the test of this file. */
export type Beating = Pick<
  GossipInternals,
  'subscriptions' | 'fanout' | 'heartbeatTicks' | 'heartbeat' | 'dispatchEvent'
>

/**
 * Leaves most heartbeats out while a node takes part in no topic: there is no mesh to look after, nothing to tell of, and what else
 * gossipsub tidies each second may wait for some. That a second has passed is told as before.
 */
export function restBeats(gossip: Beating): void {
  const beat = gossip.heartbeat.bind(gossip)
  let rested = 0
  gossip.heartbeat = async () => {
    const isIdle = gossip.subscriptions.size === 0 && gossip.fanout.size === 0
    if (!isIdle || rested >= RESTS_MAX) {
      rested = 0
      await beat()
      return
    }
    rested += 1
    gossip.heartbeatTicks += 1
    gossip.dispatchEvent(new CustomEvent('gossipsub:heartbeat'))
  }
}
