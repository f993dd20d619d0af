import type { GossipSub, MeshPeer } from '@libp2p/gossipsub'
import type { RPC } from '@libp2p/gossipsub/message'
import { MESH_CATCH_UPS_MAX, RPC_ENTRIES_MAX } from './constants.ts'

/** What gossipsub has beyond its declared interface; held by the test that shows its fault. */
interface GossipInternals {
  readonly mcache: { getGossipIDs(topics: Set<string>): Map<string, Uint8Array[]> }
  /** Whether it was sent; not so while there is no stream to the peer. */
  sendRpc(peerId: string, rpc: RPC): boolean
}

/**
 * Tells a peer that joins a mesh what was said in the last seconds, so that it can ask for what it has not heard.
 *
 * Gossipsub forwards a message to the mesh as it is when the message comes, and later names it to peers *outside* the
 * mesh only. A peer that is taken in between the two never hears of it: whoever speaks just as others arrive, as at the
 * start of every chat, is not heard by some of them.
 */
export function catchUpMeshPeers(gossip: GossipSub): void {
  const internals = gossip as unknown as GossipInternals
  const recent = new Map<string, MeshPeer>()
  const tell = ({ peerId, topic }: MeshPeer): void => {
    const messageIDs = internals.mcache
      .getGossipIDs(new Set([topic]))
      .get(topic)
      ?.slice(0, RPC_ENTRIES_MAX)
    if (messageIDs === undefined) return
    const ihave = [{ topicID: topic, messageIDs }]
    const control = { ihave, iwant: [], graft: [], prune: [], idontwant: [] }
    internals.sendRpc(peerId, { subscriptions: [], messages: [], control })
  }
  gossip.addEventListener('gossipsub:graft', ({ detail }) => {
    tell(detail)
    if (recent.size < MESH_CATCH_UPS_MAX) recent.set(`${detail.peerId} ${detail.topic}`, detail)
  })
  // once more a little later: both sides take each other in at about the same time, and streams may still be opening
  gossip.addEventListener('gossipsub:heartbeat', () => {
    for (const peer of recent.values()) tell(peer)
    recent.clear()
  })
}
