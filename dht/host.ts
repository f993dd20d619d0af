import type { Connection, Libp2p } from '@libp2p/interface'
import type { Datastore } from 'interface-datastore'
import { createLibp2p } from 'libp2p'
import type { Clock, Logger, Random } from '#contracts'
import type { Did, KeyPair } from '#did'
import { SEEDS_MAX } from './constants.ts'
import { createConnector } from './connector.ts'
import type { Connect, ConnectTarget } from './connector.ts'
import { createDhtService, tableOf } from './dht-service.ts'
import type { DhtTable } from './dht-service.ts'
import { DhtError } from './errors.ts'
import { createExchange } from './exchange.ts'
import type { Exchange } from './exchange.ts'
import { createGater } from './gater.ts'
import { parseStartingPeer, startJoiner } from './joiner.ts'
import type { Joiner, StartingPeer } from './joiner.ts'
import { libp2pOptions } from './libp2p-options.ts'
import type { HostServices, Role, TransportFactory } from './libp2p-options.ts'
import { startListening } from './listening.ts'
import type { ListenInit, PortFallback } from './listening.ts'
import type { Names } from './names.ts'
import { ipfsServiceOf, startNetworks } from './networks.ts'
import type { IpfsHostInit, Networks } from './networks.ts'
import { observeHost } from './observation.ts'
import type { HostMetrics, PeerEvent, PeerSummary } from './observation.ts'
import { systemHostPowers } from './powers.ts'
import type { HostPowers } from './powers.ts'
import { createPubsub } from './pubsub.ts'
import type { Pubsub } from './pubsub.ts'
import { addressKind, adviseReach, parseAddress } from './reach.ts'
import type { Reach, ReachAdvice } from './reach.ts'
import type { Routing } from './routing.ts'

/** What a host is made of; the datastore stays the caller's and outlives the host. */
export interface HostComponents {
  /** The device's key: it is the PeerId. */
  readonly keyPair: KeyPair
  readonly datastore: Datastore
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
  readonly powers?: HostPowers
  /** The key pair of a did, if this device holds it unlocked; its name is then renewed before it expires. */
  readonly signerOf?: (did: Did) => KeyPair | undefined
}

/** How a host behaves. */
export interface HostInit extends ListenInit, IpfsHostInit {
  readonly reach: Reach
  /** Multiaddrs of seeds, each ending with `/p2p/` and a peer id. */
  readonly bootstrapPeers: readonly string[]
  /** A `seed` also relays, tells others how they look from outside, and takes many connections. Default: `peer`. */
  readonly role?: Role
  /** The deny list; asked at each connection, so it may change while the host runs. */
  readonly isDenied?: (did: string) => boolean
  /** A limit per address, asked once for each inbound connection with the remote multiaddr. */
  readonly allowInbound?: (remoteAddress: string) => boolean
  /** Multiaddrs to announce beside those listened on, such as a public name. */
  readonly announce?: readonly string[]
  /** Look for peers on the local network. Default: unless the reach is `local`. */
  readonly mdns?: boolean
  /** Instead of TCP, WebSockets and relays: for simulations. */
  readonly transports?: readonly TransportFactory[]
  /** Check idle connections for being alive. Default: true, but not with `transports`. */
  readonly connectionMonitor?: boolean
  /** The version that peers see. */
  readonly version?: string
}

/** Where a host can be reached and what would widen that. */
export interface Reachability {
  readonly reach: Reach
  /** The multiaddrs bound on this machine. */
  readonly listening: readonly string[]
  /** The multiaddrs that others are told, with `/p2p/…`. */
  readonly announced: readonly string[]
  /** Those of them that lead through a relay. */
  readonly relayed: readonly string[]
  readonly portFallback: PortFallback | undefined
  /** How many peers are in the routing table. */
  readonly tableSize: number
  /** Which flags could help when nobody is reachable; empty when somebody is. */
  readonly advice: readonly ReachAdvice[]
}

/** A running libp2p host with its DHT. Disposing it closes all connections and leaves the datastore open. */
export interface Host extends AsyncDisposable {
  readonly did: Did
  readonly peerId: string
  readonly libp2p: Libp2p<HostServices>
  /** Announces and finds content in our DHT, and in the IPFS DHT when it is joined. */
  readonly routing: Routing
  /** Mutable names, in the same DHTs. */
  readonly names: Names
  readonly pubsub: Pubsub
  readonly exchange: Exchange
  /** Set when the default port was occupied and another was taken. */
  readonly portFallback: PortFallback | undefined
  /** The multiaddrs that others can dial, with `/p2p/…`, most useful first. */
  addresses(): string[]
  /**
   * Connects to a peer, or does nothing when there is a connection.
   *
   * @throws {@link DhtError} `ERR_ADDRESS_INVALID`, `ERR_PEER_DENIED`, `ERR_PEER_UNREACHABLE`, or the signal's reason
   */
  connect(target: ConnectTarget, signal?: AbortSignal): Promise<void>
  /** The connected peers. */
  peers(): PeerSummary[]
  /** Calls `handler` as peers connect and disconnect, until disposed. */
  onPeer(handler: (event: PeerEvent) => void): Disposable
  /**
   * Resolves when a DHT peer is in the routing table or when it is clear that nobody is reachable; the advice then says
   * which flag is missing.
   *
   * @throws the reason of `signal`
   */
  ready(signal: AbortSignal): Promise<Reachability>
  reachability(): Reachability
  metrics(): HostMetrics
}

/**
 * Starts the host: listens, joins the network through seeds and peers of earlier runs in the background, and answers
 * DHT queries when it listens.
 *
 * @throws {@link DhtError} `ERR_HOST_OPTION`, `ERR_HOST_LISTEN`, `ERR_ADDRESS_INVALID`, `ERR_ADDRESS_OUT_OF_REACH`
 */
export async function startHost(components: HostComponents, init: HostInit): Promise<Host> {
  const logger = components.logger.child('dht')
  const seeds = parseSeeds(init.bootstrapPeers)
  await using stack = new AsyncDisposableStack()
  const listening = await startListening(init, components.powers ?? systemHostPowers, async (listen) =>
    startLibp2p(components, init, listen)
  )
  const libp2p = listening.started
  stack.defer(async () => {
    await stopLibp2p(libp2p)
  })
  const table = tableOf(libp2p.services.dht)
  const joiner = stack.use(
    startJoiner(
      { ...components, logger, libp2p, table },
      { seeds, knownPeers: async () => Promise.resolve([]) }
    )
  )
  const { clock } = components
  const connect = createConnector({ libp2p, clock, ...(init.isDenied ? { isDenied: init.isDenied } : {}) })
  const { whenJoined } = joiner
  const networks = stack.use(
    await startNetworks({ ...components, logger, libp2p, table, whenJoined, connect }, init)
  )
  const running = stack.move()
  const { fallback } = listening
  return createHost({
    components,
    init,
    logger,
    libp2p,
    table,
    joiner,
    connect,
    networks,
    fallback,
    running
  })
}

function parseSeeds(texts: readonly string[]): StartingPeer[] {
  if (texts.length > SEEDS_MAX) {
    throw new DhtError(
      'ERR_HOST_OPTION',
      `expected at most ${String(SEEDS_MAX)} seeds, got ${String(texts.length)}`
    )
  }
  return texts.map(parseStartingPeer)
}

async function startLibp2p(
  { keyPair, datastore, clock }: HostComponents,
  init: HostInit,
  listen: string[]
): Promise<Libp2p<HostServices>> {
  const { reach, role = 'peer', announce = [], transports } = init
  for (const address of announce) parseAddress(address)
  const libp2p = await createLibp2p<HostServices>(
    libp2pOptions({
      keyPair,
      datastore,
      reach,
      role,
      listen,
      announce,
      mdns: init.mdns ?? (reach !== 'local' && transports === undefined),
      connectionMonitor: init.connectionMonitor ?? transports === undefined,
      connectionGater: createGater(init),
      createDht: createDhtService({ reach, clientMode: listen.length === 0, datastore, clock }) as never,
      createIpfsDht: ipfsServiceOf(init, clock) as never,
      version: init.version ?? '0.0.0',
      ...(transports === undefined ? {} : { transports })
    })
  )
  await libp2p.start()
  return libp2p
}

async function stopLibp2p(libp2p: Libp2p<HostServices>): Promise<void> {
  await libp2p.stop()
}

interface HostParts {
  readonly components: HostComponents
  readonly init: HostInit
  readonly logger: Logger
  readonly libp2p: Libp2p<HostServices>
  readonly table: DhtTable
  readonly joiner: Joiner
  readonly connect: Connect
  readonly networks: Networks
  readonly fallback: PortFallback | undefined
  readonly running: AsyncDisposableStack
}

function createHost(parts: HostParts): Host {
  const { components, logger, libp2p, table, joiner, connect, networks, fallback, running } = parts
  const { clock, keyPair } = components
  const { pubsub } = libp2p.services
  const { whenJoined } = joiner
  return {
    did: keyPair.did,
    peerId: libp2p.peerId.toString(),
    libp2p,
    routing: networks.routing,
    names: networks.names,
    pubsub: createPubsub({ gossip: pubsub, clock, logger }),
    exchange: createExchange({ libp2p, clock, logger }),
    portFallback: fallback,
    addresses: () => addresses(libp2p),
    connect,
    ...observeHost(libp2p, table),
    ready: async (signal) => {
      await whenJoined(signal)
      return reachability(parts)
    },
    reachability: () => reachability(parts),
    [Symbol.asyncDispose]: async () => {
      await running.disposeAsync()
    }
  }
}

function addresses(libp2p: Libp2p): string[] {
  // most useful to somebody else first
  const order = ['public', 'name', 'private', 'other', 'relay', 'loopback']
  return libp2p
    .getMultiaddrs()
    .toSorted((a, b) => order.indexOf(addressKind(a)) - order.indexOf(addressKind(b)))
    .map(String)
}

function reachability({ libp2p, init, table, joiner, fallback }: HostParts): Reachability {
  const { transportManager } = libp2p.services.internals
  const announced = addresses(libp2p)
  const facts = {
    reach: init.reach,
    seedCount: init.bootstrapPeers.length,
    seedsReached: joiner.seedsReached(),
    knownPeerCount: joiner.knownPeerCount(),
    mdns: init.mdns ?? init.reach !== 'local',
    discoverIpfs: (init.discoverIpfs ?? false) !== false
  }
  return {
    reach: init.reach,
    listening: transportManager.getListeners().flatMap((listener) => listener.getAddrs().map(String)),
    announced,
    relayed: announced.filter((address) => address.includes('/p2p-circuit')),
    portFallback: fallback,
    tableSize: table.size(),
    advice: table.size() > 0 || libp2p.getConnections().length > 0 ? [] : adviseReach(facts)
  }
}
