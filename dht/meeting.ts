import type { Libp2p } from '@libp2p/interface'
import { peerIdFromString } from '@libp2p/peer-id'
import type { Connect } from './connector.ts'
import { DHT_PROTOCOL } from './constants.ts'
import type { Acquaintance } from './ipfs-discovery.ts'
import type { FoundProvider } from './routing.ts'

/** What {@link createMeeting} works with. */
export interface MeetingComponents {
  readonly libp2p: Pick<Libp2p, 'getConnections' | 'hangUp'>
  readonly connect: Connect
}

/**
 * Connects to peers that somebody named and finds out whether they are of this network: whether they open a stream of
 * our DHT's protocol. A connection to a stranger is closed again, unless it was there before.
 */
export function createMeeting({
  libp2p,
  connect
}: MeetingComponents): (peer: FoundProvider, signal: AbortSignal) => Promise<Acquaintance> {
  return async (peer, signal) => {
    const peerId = peerIdFromString(peer.peerId)
    const wasConnected = libp2p.getConnections(peerId).length > 0
    try {
      await connect(peer, signal)
    } catch {
      signal.throwIfAborted()
      return 'unreachable'
    }
    const [connection] = libp2p.getConnections(peerId)
    if (connection === undefined) return 'unreachable'
    try {
      const stream = await connection.newStream(DHT_PROTOCOL, { signal, runOnLimitedConnection: true })
      await stream.close({ signal })
      return 'member'
    } catch {
      signal.throwIfAborted()
      if (!wasConnected) await libp2p.hangUp(peerId, { signal })
      return 'stranger'
    }
  }
}
