import { circuitRelayServer, circuitRelayTransport } from '@libp2p/circuit-relay-v2'
import type { GossipSub } from '@libp2p/gossipsub'
import type {
  ConnectionGater,
  PeerDiscovery,
  PeerInfo,
  PeerId,
  PeerStore,
  ServiceMap
} from '@libp2p/interface'
import type { KadDHT } from '@libp2p/kad-dht'
import { ping } from '@libp2p/ping'
import type { Ping } from '@libp2p/ping'
import type { TCPOptions } from '@libp2p/tcp'
import { webSockets } from '@libp2p/websockets'
import type { Multiaddr } from '@multiformats/multiaddr'
import type { Datastore } from 'interface-datastore'
import type { Libp2pOptions } from 'libp2p'
import type { Clock, Random } from '#contracts'
import type { KeyPair } from '#did'
import { divertedTcp } from './bulk/index.ts'
import type { BulkSockets } from './bulk/index.ts'
import type { InboundAdmission } from './inbound-admission.ts'
import {
  ADDRESS_DIAL_TIMEOUT_MS,
  CONNECTION_CHECK_INTERVAL_MS,
  CONNECTION_CHECK_TIMEOUT_MS,
  DIAL_TIMEOUT_MS,
  MDNS_SERVICE_TAG,
  PEER_ADDRESS_AGE_MAX_MS,
  PEER_AGE_MAX_MS,
  PEER_CONNECTION_LIMITS,
  PING_STREAMS_MAX,
  RELAY_BYTES_MAX,
  RELAY_DURATION_MAX_MS,
  RELAY_HOP_STREAMS_MAX,
  RELAY_RESERVATIONS_MAX,
  RELAY_RESERVATION_TTL_MS,
  ROUND_TRIP_INTERVAL_MS,
  SEED_CONNECTION_LIMITS,
  STREAM_WINDOW_BYTES_MAX,
  STREAM_WRITE_BUFFER_BYTES_MAX,
  TCP_BACKLOG
} from './constants.ts'
import type { ConnectionLimits } from './constants.ts'
import { deviceKey } from './device-key.ts'
import { dialBack } from './dial-back.ts'
import { eagerEncryption } from './eager-negotiation.ts'
import { guardedYamux } from './guarded-muxer.ts'
import { createHolePunch } from './hole-punch.ts'
import { identifyOnce } from './identify-once.ts'
import { pushNews } from './identify-push.ts'
import { joinedNoise } from './joined-noise.ts'
import { createPubsubService } from './pubsub.ts'
import { createPunchPort } from './punch-port.ts'
import type { PunchPort } from './punch-port.ts'
import { quickenPeerStore } from './quick-peer-store.ts'
import { quietLogger } from './quiet-logger.ts'
import { mayAnnounce } from './reach.ts'
import type { Reach } from './reach.ts'

/** What @chainsafe/libp2p-noise calls itself. */
const NOISE_PROTOCOL = '/noise'

/** One of libp2p's transports, as its factory makes it. */
export type TransportFactory = NonNullable<Libp2pOptions['transports']>[number]

/** A peer that introduces others, or one that is just there. */
export type Role = 'peer' | 'seed'

/** The parts of libp2p that it does not show and that we need to work around its faults. */
export interface Internals {
  readonly addressManager: { confirmObservedAddr(address: Multiaddr, options: { type: 'transport' }): void }
  readonly transportManager: {
    listen(addresses: Multiaddr[]): Promise<void>
    getTransports(): object[]
    getListeners(): { getAddrs(): Multiaddr[] }[]
  }
}

type InternalComponents = Internals & { readonly peerStore: PeerStore; readonly peerId: PeerId }

/** The services of our host that the rest of the folder uses. */
export interface HostServices extends ServiceMap {
  readonly dht: KadDHT
  /** The IPFS DHT, there when it is joined. */
  readonly ipfsDht?: KadDHT
  readonly pubsub: GossipSub
  readonly ping: Ping
  readonly internals: Internals
}

/** What the options of libp2p are made from. */
export interface Libp2pInit {
  readonly keyPair: KeyPair
  readonly datastore: Datastore
  readonly clock: Clock
  readonly random: Random
  readonly reach: Reach
  readonly role: Role
  readonly listen: readonly string[]
  readonly announce: readonly string[]
  readonly mdns: boolean
  /** Told of each peer seen on the local network. */
  readonly onFound: (peer: PeerInfo) => void
  readonly connectionMonitor: boolean
  readonly connectionGater: ConnectionGater
  readonly transports?: readonly TransportFactory[]
  /** Told of TLS connections to the TCP port. */
  readonly bulkSockets: BulkSockets
  /** The limit per address, when there is one. */
  readonly admission?: InboundAdmission | undefined
  readonly createDht: NonNullable<Libp2pOptions['services']>[string]
  readonly createIpfsDht?: NonNullable<Libp2pOptions['services']>[string] | undefined
  readonly version: string
  /** Let libp2p write its own log. */
  readonly isDebugging: boolean
}

/** The options of our libp2p host. What only some reach needs is loaded here: nearly every start is of reach `local`. */
export async function libp2pOptions(init: Libp2pInit): Promise<Libp2pOptions<HostServices>> {
  const limits = init.role === 'seed' ? SEED_CONNECTION_LIMITS : PEER_CONNECTION_LIMITS
  // who is not to be reached from everywhere has no relays to get away from
  const isPunching = init.reach === 'public' && init.role === 'peer' && init.transports === undefined
  const createTcp = (more: TCPOptions = {}): TransportFactory =>
    divertedTcp({ ...tcpOptions(limits), ...more }, init.bulkSockets, init.admission)
  const port = isPunching ? createPunchPort(createTcp) : undefined
  return {
    start: false,
    privateKey: deviceKey(init.keyPair),
    nodeInfo: { name: 'elastos', version: init.version, userAgent: `elastos/${init.version}` },
    datastore: init.datastore,
    ...(init.isDebugging ? {} : { logger: quietLogger }),
    addresses: {
      listen: [...init.listen],
      appendAnnounce: [...init.announce],
      announceFilter: (addresses) => announced(init, addresses)
    },
    transports: [
      ...(init.transports ?? [port?.transport ?? createTcp(), webSockets(), circuitRelayTransport()])
    ],
    ...encryptedStreams(),
    connectionGater: init.connectionGater,
    connectionMonitor: {
      enabled: init.connectionMonitor,
      pingInterval: CONNECTION_CHECK_INTERVAL_MS,
      pingTimeout: { minTimeout: CONNECTION_CHECK_TIMEOUT_MS }
    },
    connectionManager: connectionOptions(limits),
    // both ages default to less than a provider record lives, which made records useless before they ran out
    peerStore: { maxAddressAge: PEER_ADDRESS_AGE_MAX_MS, maxPeerAge: PEER_AGE_MAX_MS },
    peerDiscovery: init.mdns ? [await watchedMdns(init.onFound)] : [],
    services: (await services(init, port)) as never
  }
}

/** How our connections are encrypted, and what carries streams over them. */
export function encryptedStreams(): Pick<
  Libp2pOptions,
  'connectionEncrypters' | 'connectionProtector' | 'streamMuxers'
> {
  return {
    connectionEncrypters: [joinedNoise()],
    connectionProtector: eagerEncryption(NOISE_PROTOCOL),
    streamMuxers: [
      guardedYamux({
        // the default, half a minute, would be a second check of every connection, by both ends, that nothing follows from
        keepAliveInterval: ROUND_TRIP_INTERVAL_MS,
        streamOptions: {
          maxStreamWindowSize: STREAM_WINDOW_BYTES_MAX,
          maxWriteBufferLength: STREAM_WRITE_BUFFER_BYTES_MAX
        }
      })
    ]
  }
}

function announced({ reach, announce }: Libp2pInit, addresses: Multiaddr[]): Multiaddr[] {
  // what the user says to announce is announced, whatever it looks like from here
  return addresses.filter(
    (address) =>
      mayAnnounce(reach, address) || announce.some((prefix) => address.toString().startsWith(prefix))
  )
}

function connectionOptions(limits: ConnectionLimits): NonNullable<Libp2pOptions['connectionManager']> {
  return {
    maxConnections: limits.connectionsMax,
    inboundConnectionThreshold: limits.inboundPerSecondMax,
    maxIncomingPendingConnections: limits.pendingInboundMax,
    maxParallelDials: limits.parallelDialsMax,
    maxPeerAddrsToDial: limits.addressesToDialMax,
    dialTimeout: DIAL_TIMEOUT_MS,
    addressDialTimeout: ADDRESS_DIAL_TIMEOUT_MS
  }
}

function tcpOptions({ connectionsMax }: ConnectionLimits): TCPOptions {
  return {
    backlog: TCP_BACKLOG,
    maxConnections: connectionsMax + TCP_BACKLOG,
    closeServerOnMaxConnections: { closeAbove: connectionsMax + TCP_BACKLOG, listenBelow: connectionsMax }
  }
}

async function services(
  init: Libp2pInit,
  port: PunchPort | undefined
): Promise<NonNullable<Libp2pOptions['services']>> {
  const isPublic = init.reach === 'public'
  return {
    identify: identifyOnce(init.clock),
    identifyPush: pushNews(),
    // the connection monitor and the relay watch take a stream that is refused for a connection that is lost
    ping: ping({ maxOutboundStreams: PING_STREAMS_MAX }),
    dht: init.createDht,
    ...(init.createIpfsDht === undefined ? {} : { ipfsDht: init.createIpfsDht }),
    pubsub: createPubsubService(init),
    internals: ({ addressManager, transportManager, peerStore, peerId }: InternalComponents): Internals => {
      quickenPeerStore(peerStore, init.clock, peerId)
      return { addressManager, transportManager }
    },
    ...(port === undefined ? {} : { punch: createHolePunch({ port, clock: init.clock }) }),
    ...(isPublic ? { autoNAT: dialBack((await import('@libp2p/autonat')).autoNAT()) } : {}),
    ...(isPublic && init.role === 'peer' ? { upnp: (await import('@libp2p/upnp-nat')).uPnPNAT() } : {}),
    ...(init.role === 'seed' ? { relay: relayServer() } : {})
  }
}

function relayServer(): NonNullable<Libp2pOptions['services']>[string] {
  return circuitRelayServer({
    maxInboundHopStreams: RELAY_HOP_STREAMS_MAX,
    maxOutboundHopStreams: RELAY_HOP_STREAMS_MAX,
    maxOutboundStopStreams: RELAY_HOP_STREAMS_MAX,
    reservations: {
      maxReservations: RELAY_RESERVATIONS_MAX,
      reservationTtl: RELAY_RESERVATION_TTL_MS,
      defaultDurationLimit: RELAY_DURATION_MAX_MS,
      defaultDataLimit: BigInt(RELAY_BYTES_MAX)
    }
  })
}

async function watchedMdns(
  onFound: Libp2pInit['onFound']
): Promise<NonNullable<Libp2pOptions['peerDiscovery']>[number]> {
  const { mdns } = await import('@libp2p/mdns')
  return (components): PeerDiscovery => {
    const discovery = mdns({ serviceTag: MDNS_SERVICE_TAG })(components)
    discovery.addEventListener('peer', (event) => {
      onFound(event.detail)
    })
    return discovery
  }
}
