import type { Libp2p } from '@libp2p/interface'
import type { Did } from '#did'
import { createJudge } from './confidence.ts'
import { CLOSEST_PEERS, SEEDS_MAX, YOUNG_MS } from './constants.ts'
import type { BulkSockets } from './bulk/index.ts'
import { createConnector } from './connector.ts'
import type { Connect, ConnectTarget } from './connector.ts'
import { tableOf } from './dht-service.ts'
import type { DhtTable } from './dht-service.ts'
import { DhtError } from './errors.ts'
import { createExchange } from './exchange.ts'
import type { Exchange } from './exchange.ts'
import type { HostComponents, HostInit } from './host-init.ts'
import { createInspection } from './inspection.ts'
import type { Inspection } from './inspection.ts'
import { parseStartingPeer, startJoiner } from './joiner.ts'
import type { Joiner, StartingPeer } from './joiner.ts'
import { startKnownPeers } from './known-peers.ts'
import type { HostServices } from './libp2p-options.ts'
import { startLibp2p } from './libp2p-start.ts'
import { startListening } from './listening.ts'
import type { PortFallback } from './listening.ts'
import type { Names } from './names.ts'
import { startNetworks } from './networks.ts'
import type { Networks } from './networks.ts'
import { observeHost } from './observation.ts'
import type { HostMetrics, PeerEvent, PeerSummary } from './observation.ts'
import { systemHostPowers } from './powers.ts'
import type { ProvideStatus } from './provide/sweeper.ts'
import { createPubsub } from './pubsub.ts'
import type { Pubsub } from './pubsub.ts'
import { addressKind, adviseReach } from './reach.ts'
import type { Reach, ReachAdvice } from './reach.ts'
import { createRouting } from './routing.ts'
import type { Routing } from './routing.ts'
import { stopLibp2p } from './shutdown.ts'
import { startUpkeep } from './upkeep.ts'
import type { Upkeep } from './upkeep.ts'

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

/** How announcing again goes in one DHT. */
export interface NetworkProvideStatus extends ProvideStatus {
  readonly network: 'elastos' | 'ipfs'
}

/** A running libp2p host with its DHT. Disposing it closes all connections and leaves the datastore open. */
export interface Host extends AsyncDisposable {
  readonly did: Did
  readonly peerId: string
  readonly libp2p: Libp2p<HostServices>
  /** Announces and finds content in our DHT, and in the IPFS DHT when it is joined. */
  readonly routing: Routing
  /** As `routing`, over our DHT alone: for what the IPFS DHT is not to be told, such as who is in a room. */
  readonly ownRouting: Routing
  /** Mutable names, in the same DHTs. */
  readonly names: Names
  readonly pubsub: Pubsub
  readonly exchange: Exchange
  /** Sockets beside the connections to peers. */
  readonly bulkSockets: BulkSockets
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
  /** Looks for neighbours and into the buckets of the routing table now, as happens from time to time by itself. */
  refresh(signal: AbortSignal): Promise<void>
  /** Announces now what is due to be announced again, and resolves with how many contents that were. */
  announceDue(signal: AbortSignal): Promise<number>
  /** How announcing again goes, in each DHT. */
  provideStatus(): Promise<readonly NetworkProvideStatus[]>
  /** Questions to our DHT that people ask. */
  readonly inspection: Inspection
}

/**
 * Starts the host: listens, joins the network through seeds and peers of earlier runs in the background, and answers
 * DHT queries when it listens.
 *
 * @throws {@link DhtError} `ERR_HOST_OPTION`, `ERR_HOST_LISTEN`, `ERR_ADDRESS_INVALID`, `ERR_ADDRESS_OUT_OF_REACH`
 */
export async function startHost(components: HostComponents, init: HostInit): Promise<Host> {
  const logger = components.logger.child('dht')
  const { clock } = components
  const seeds = parsePeers(init.bootstrapPeers)
  const relays = init.relays && parsePeers(init.relays)
  await using stack = new AsyncDisposableStack()
  const { started, fallback } = await startListening(
    init,
    components.powers ?? systemHostPowers,
    async (listen) => await startLibp2p({ ...components, logger }, init, listen)
  )
  const { libp2p, dht, ipfsService } = started
  stack.defer(async () => {
    await stopLibp2p(libp2p, { clock, logger })
  })
  stack.use(started.bulkSockets)
  stack.use(started.discovery)
  const table = tableOf(libp2p.services.dht)
  const queries = dht.queries()
  const judge = createJudge(() => neighboursOf(libp2p, table))
  const shared = { ...components, logger, libp2p, table, dht, queries, judge }
  const pinned = seeds.map(({ peerId }) => peerId).filter((peerId) => peerId !== libp2p.peerId.toString())
  const startedAtMs = clock.monotonicMs()
  const anchors = (): string[] => (clock.monotonicMs() - startedAtMs < YOUNG_MS ? pinned : [])
  const knownPeers = stack.use(startKnownPeers(shared))
  const joiner = stack.use(startJoiner(shared, { seeds, knownPeers: knownPeers.startingPeers }))
  const { whenJoined } = joiner
  const connect = createConnector({ libp2p, clock, whenJoined, isDenied: init.isDenied })
  const closing = new AbortController()
  const routing = createRouting({
    ...shared,
    dht: libp2p.services.dht,
    whenJoined,
    announcements: dht.providers,
    anchors: pinned,
    closing: closing.signal
  })
  const networks = stack.use(
    await startNetworks({ ...shared, ipfsService, routing, whenJoined, connect, anchors }, init)
  )
  const upkeep = stack.use(startUpkeep(shared, { ...init, seeds, relays }))
  // the first to be disposed: whatever is under way ends before what it works with
  stack.defer(async () => {
    closing.abort(new DhtError('ERR_HOST_CLOSED', 'the host is disposed'))
    await routing.settled()
  })
  const running = stack.move()
  const { bulkSockets } = started
  const parts = {
    ...{ joiner, connect, networks, upkeep, fallback, running, bulkSockets },
    inspection: createInspection({ ...shared, whenJoined }),
    closing: closing.signal
  }
  return createHost({ ...shared, init, ...parts })
}

function neighboursOf(libp2p: Libp2p, table: DhtTable): { ownKey: Uint8Array; peerIds: string[] } {
  const ownKadId = table.ownKadId()
  const peerIds = ownKadId === undefined ? [] : table.closest(ownKadId, CLOSEST_PEERS)
  return { ownKey: libp2p.peerId.toMultihash().bytes, peerIds }
}

function parsePeers(texts: readonly string[]): StartingPeer[] {
  if (texts.length > SEEDS_MAX) {
    throw new DhtError(
      'ERR_HOST_OPTION',
      `expected at most ${SEEDS_MAX} seeds or relays, got ${texts.length}`
    )
  }
  return texts.map(parseStartingPeer)
}

interface HostParts extends Omit<HostComponents, 'signerOf'> {
  readonly init: HostInit
  readonly libp2p: Libp2p<HostServices>
  readonly table: DhtTable
  readonly joiner: Joiner
  readonly connect: Connect
  readonly networks: Networks
  readonly bulkSockets: BulkSockets
  readonly upkeep: Upkeep
  readonly fallback: PortFallback | undefined
  readonly inspection: Inspection
  readonly closing: AbortSignal
  readonly running: AsyncDisposableStack
}

function createHost(parts: HostParts): Host {
  const { keyPair, clock, logger, libp2p, table, connect, networks, fallback, running, closing, upkeep } =
    parts
  const { pubsub } = libp2p.services
  return {
    did: keyPair.did,
    peerId: libp2p.peerId.toString(),
    libp2p,
    routing: networks.routing,
    ownRouting: networks.own,
    names: networks.names,
    pubsub: createPubsub({ gossip: pubsub, clock, logger, closing }),
    exchange: createExchange({ libp2p, clock, logger, closing }),
    bulkSockets: parts.bulkSockets,
    portFallback: fallback,
    inspection: parts.inspection,
    addresses: () => addresses(libp2p),
    connect,
    ...observeHost(libp2p, table),
    ready: async (signal) => {
      await parts.joiner.whenJoined(signal)
      return reachability(parts)
    },
    reachability: () => reachability(parts),
    refresh: async (signal) => {
      await upkeep.table.refresh(signal)
    },
    announceDue: async (signal) => await upkeep.sweeper.run(signal),
    provideStatus: async () => {
      const own = { network: 'elastos' as const, ...(await upkeep.sweeper.status()) }
      if (!networks.isPublishing || networks.ipfs === undefined) return [own]
      return [own, { network: 'ipfs' as const, ...(await networks.ipfs.sweeper.status()) }]
    },
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
