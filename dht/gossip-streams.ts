import type { Connection, Libp2p, PeerId } from '@libp2p/interface'
import type { GossipSub } from '@libp2p/gossipsub'

/** What gossipsub has beyond its declared interface; held by the test that shows its fault. */
interface GossipInternals {
  readonly peers: Map<string, PeerId>
  readonly streamsOutbound: Map<string, unknown>
  onPeerConnected(peerId: PeerId, connection: Connection): void
}

/** What of libp2p tells that a connection ended and which are left. */
export interface GossipStreamComponents {
  readonly events: Pick<Libp2p, 'addEventListener'>
  readonly connectionManager: { getConnections(peer: PeerId): Connection[] }
}

/**
 * Opens gossip's stream to a peer anew when the connection it ran on ends and another is left.
 *
 * Gossipsub opens one stream when a peer connects and takes it for the peer: with the connection it happened to choose of
 * two (both dialled at once, or one was relayed and is replaced) it loses its stream for good and is never heard again.
 */
export function keepGossipStreams(gossip: GossipSub, components: GossipStreamComponents): void {
  const internals = gossip as unknown as GossipInternals
  const lost = new Map<string, PeerId>()
  components.events.addEventListener('connection:close', ({ detail: { remotePeer } }) => {
    if (internals.peers.has(remotePeer.toString())) lost.set(remotePeer.toString(), remotePeer)
  })
  // a second at most later, when the streams of the connection have ended too
  gossip.addEventListener('gossipsub:heartbeat', () => {
    for (const peer of lost.values()) reopen(internals, components, peer)
    lost.clear()
  })
}

function reopen(
  internals: GossipInternals,
  { connectionManager }: GossipStreamComponents,
  peer: PeerId
): void {
  const id = peer.toString()
  if (!internals.peers.has(id) || internals.streamsOutbound.has(id)) return
  const open = connectionManager.getConnections(peer).filter(({ status }) => status === 'open')
  const connection = open.find(({ limits }) => limits === undefined) ?? open[0]
  if (connection !== undefined) internals.onPeerConnected(peer, connection)
}
