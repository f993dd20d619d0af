import { isPeerId } from '@libp2p/interface'
import type { KadDHTComponents } from '@libp2p/kad-dht'
import { createTurns } from '#contracts'
import type { Clock } from '#contracts'
import { PING_TIMEOUT_MS, STRANGER_PING_INTERVAL_MS, STRANGERS_WAITING_MAX } from './constants.ts'
import { startDeadline } from './deadline.ts'
import { DhtError } from './errors.ts'

/** The ping that kad-dht checks peers with before they enter its table, and before they have to leave it. */
export type KadPing = KadDHTComponents['ping']

/** What {@link createKadPing} is made of. */
export interface KadPingComponents {
  readonly ping: KadPing
  readonly connectionManager: Pick<KadDHTComponents['connectionManager'], 'getConnections'>
  /** Whether a peer is in the routing table already. */
  readonly isInTable: (peerId: string) => boolean
  readonly clock: Clock
}

/**
 * A ping that costs little where little has to be found out.
 *
 * Stock kad-dht dials and pings at once every peer that is named in any answer: one question to a seed costs twenty
 * handshakes, at the very moment when the user waits for something else. Here a peer that is connected counts as there;
 * of the strangers named, one after the other is dialled at leisure, and those that would wait long are left out: they
 * will be named again. Only who is in the table, and would have to leave it, is asked at once.
 */
export function createKadPing(components: KadPingComponents): KadPing {
  const { connectionManager, isInTable, clock } = components
  const limited = limitPing(components.ping, clock)
  const turns = createTurns()
  let waiting = 0
  return {
    ping: async (peer, options) => {
      if (!isPeerId(peer)) return await limited.ping(peer, options)
      const isConnected = (): boolean =>
        connectionManager.getConnections(peer).some(({ status }) => status === 'open')
      if (isConnected()) return 0
      if (isInTable(peer.toString())) return await limited.ping(peer, options)
      if (waiting >= STRANGERS_WAITING_MAX) {
        throw new DhtError('ERR_PEER_UNREACHABLE', `peer ${peer.toString()} is not connected and others wait`)
      }
      waiting += 1
      try {
        return await turns.take('strangers', async () => {
          await clock.sleep(STRANGER_PING_INTERVAL_MS, options?.signal)
          return isConnected() ? 0 : await limited.ping(peer, options)
        })
      } finally {
        waiting -= 1
      }
    }
  }
}

/**
 * A ping that ends. kad-dht makes a time limit for the ping of an old contact and passes another signal on: a peer that
 * accepts a stream and says nothing would hold its place in a full bucket, and one in the queue of pings, for good.
 */
export function limitPing(ping: KadPing, clock: Clock, timeoutMs: number = PING_TIMEOUT_MS): KadPing {
  return {
    ping: async (peer, options) => {
      using limit = startDeadline(clock, timeoutMs, options?.signal)
      return await ping.ping(peer, { ...options, signal: limit.signal })
    }
  }
}
