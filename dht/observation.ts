import type { Connection, Libp2p, PeerId } from '@libp2p/interface'
import { didFromPeerId } from '#did'
import type { Did } from '#did'
import type { DhtTable } from './dht-service.ts'

/** One connected peer. */
export interface PeerSummary {
  readonly peerId: string
  /** Unknown for peers whose key is not Ed25519: they are not of this network. */
  readonly did: Did | undefined
  /** The multiaddr the connection runs over. */
  readonly address: string
  /** Who dialled: `outbound` is us. */
  readonly direction: 'inbound' | 'outbound'
  /** Whether it runs through a relay, with limits. */
  readonly relayed: boolean
  /** When the connection was opened, in milliseconds since the epoch. */
  readonly connectedAtMs: number
  /** The round trip in milliseconds, once it was measured. */
  readonly roundTripMs: number | undefined
  /** How many streams are open. */
  readonly streams: number
  /** Whether it is in our routing table. */
  readonly inTable: boolean
}

/** A peer came or went. */
export interface PeerEvent {
  readonly type: 'connected' | 'disconnected'
  readonly peerId: string
}

/** Figures of a running host for an operator. */
export interface HostMetrics {
  readonly peers: number
  readonly connectionsInbound: number
  readonly connectionsOutbound: number
  readonly connectionsRelayed: number
  readonly streams: number
  readonly tableSize: number
}

/** How a running host is observed. */
export interface Observation {
  peers(): PeerSummary[]
  onPeer(handler: (event: PeerEvent) => void): Disposable
  metrics(): HostMetrics
}

/** Observes a running host. */
export function observeHost(
  libp2p: Pick<Libp2p, 'getConnections' | 'addEventListener' | 'removeEventListener'>,
  table: DhtTable
): Observation {
  return {
    peers: () => {
      const inTable = new Set(table.peerIds())
      // several connections to one peer are one peer; a direct one says more than a relayed one
      const connections = libp2p.getConnections().toSorted((a, b) => Number(a.direct) - Number(b.direct))
      const byPeer = new Map(connections.map((connection) => [connection.remotePeer.toString(), connection]))
      return [...byPeer.values()].map((connection) => summary(connection, inTable))
    },
    onPeer: (handler) => onPeer(libp2p, handler),
    metrics: () => {
      const connections = libp2p.getConnections()
      const inbound = connections.filter(({ direction }) => direction === 'inbound').length
      return {
        peers: new Set(connections.map(({ remotePeer }) => remotePeer.toString())).size,
        connectionsInbound: inbound,
        connectionsOutbound: connections.length - inbound,
        connectionsRelayed: connections.filter(({ limits }) => limits !== undefined).length,
        streams: connections.reduce((sum, { streams }) => sum + streams.length, 0),
        tableSize: table.size()
      }
    }
  }
}

function summary(connection: Connection, inTable: ReadonlySet<string>): PeerSummary {
  const { direction, limits, timeline, rtt, streams } = connection
  const { peerId, did, address } = namesOf(connection)
  return {
    peerId,
    did,
    address,
    direction,
    relayed: limits !== undefined,
    connectedAtMs: timeline.open,
    roundTripMs: rtt,
    streams: streams.length,
    inTable: inTable.has(peerId)
  }
}

type PeerNames = Pick<PeerSummary, 'peerId' | 'did' | 'address'>

/** What stays the same for as long as a connection lasts; whoever asks for the peers asks again and again. */
const names = new WeakMap<Connection, PeerNames>()

function namesOf(connection: Connection): PeerNames {
  const known = names.get(connection)
  if (known !== undefined) return known
  const { remotePeer, remoteAddr } = connection
  const peerId = remotePeer.toString()
  const did = remotePeer.type === 'Ed25519' ? didFromPeerId(peerId) : undefined
  const named = { peerId, did, address: remoteAddr.toString() }
  names.set(connection, named)
  return named
}

function onPeer(
  libp2p: Pick<Libp2p, 'addEventListener' | 'removeEventListener'>,
  handler: (event: PeerEvent) => void
): Disposable {
  const onConnect = (event: CustomEvent<PeerId>): void => {
    handler({ type: 'connected', peerId: event.detail.toString() })
  }
  const onDisconnect = (event: CustomEvent<PeerId>): void => {
    handler({ type: 'disconnected', peerId: event.detail.toString() })
  }
  libp2p.addEventListener('peer:connect', onConnect)
  libp2p.addEventListener('peer:disconnect', onDisconnect)
  return {
    [Symbol.dispose]: () => {
      libp2p.removeEventListener('peer:connect', onConnect)
      libp2p.removeEventListener('peer:disconnect', onDisconnect)
    }
  }
}
