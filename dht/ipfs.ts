import { removePrivateAddressesMapper, removePublicAddressesMapper } from '@libp2p/kad-dht'
import type { KadDHT, KadDHTInit } from '@libp2p/kad-dht'
import { contentRoutingSymbol } from '@libp2p/interface'
import type { Libp2p } from '@libp2p/interface'
import type { Datastore } from 'interface-datastore'
import type { Clock, Logger, Random } from '#contracts'
import { createAnnouncedAddresses } from './announced-addresses.ts'
import { LOOKUP_CONCURRENCY, LOOKUP_PATHS } from './constants.ts'
import { guardDht, NO_REPROVIDE, tableOf } from './dht-service.ts'
import type { DhtService, GuardedDhtInit } from './dht-service.ts'
import {
  IPFS_ADDRESSES_KEY,
  IPFS_DATASTORE_PREFIX,
  IPFS_KNOWN_PEERS_MAX,
  IPFS_LAN_PROTOCOL,
  IPFS_LOG_PREFIX,
  IPFS_METRICS_PREFIX,
  IPFS_WAN_PROTOCOL
} from './ipfs-constants.ts'
import { parseStartingPeer, startJoiner } from './joiner.ts'
import type { StartingPeer } from './joiner.ts'
import { kadNameRouting } from './name-routing.ts'
import type { NameRouting } from './name-routing.ts'
import { createRecordRules } from './name-rules.ts'
import { createSweepStateFile } from './provide/sweep-state.ts'
import { startSweeper } from './provide/sweeper.ts'
import type { Sweeper } from './provide/sweeper.ts'
import { createRouting } from './routing.ts'
import type { Routing } from './routing.ts'

/** Which IPFS DHT: the public one, or the one of IPFS nodes in the local network (and on loopback). */
export type IpfsMode = 'wan' | 'lan'

/** What {@link createIpfsService} makes a DHT of. */
export interface IpfsDhtInit extends GuardedDhtInit {
  readonly mode: IpfsMode
  /** Another protocol id, for a network of one's own; by default the one of `mode`. */
  readonly protocol?: string
}

/** The protocol id of an IPFS DHT. */
export function ipfsProtocol(mode: IpfsMode): string {
  return mode === 'wan' ? IPFS_WAN_PROTOCOL : IPFS_LAN_PROTOCOL
}

/** The options of the second, client-only kad-dht; nothing of it is shared with ours. */
export function ipfsDhtOptions({
  mode,
  clock,
  protocol
}: Pick<IpfsDhtInit, 'mode' | 'clock' | 'protocol'>): KadDHTInit {
  return {
    protocol: protocol ?? ipfsProtocol(mode),
    datastorePrefix: IPFS_DATASTORE_PREFIX,
    logPrefix: IPFS_LOG_PREFIX,
    metricsPrefix: IPFS_METRICS_PREFIX,
    // strangers' records are theirs to keep: we ask and announce, and answer nobody
    clientMode: true,
    alpha: LOOKUP_CONCURRENCY,
    disjointPaths: LOOKUP_PATHS,
    allowQueryWithZeroPeers: true,
    peerInfoMapper: mode === 'wan' ? removePrivateAddressesMapper : removePublicAddressesMapper,
    reprovide: NO_REPROVIDE,
    ...createRecordRules(clock)
  }
}

/** The IPFS DHT, as a client, behind the same guards as ours. */
export function createIpfsService(init: IpfsDhtInit): DhtService {
  const service = guardDht(init, ipfsDhtOptions(init))
  return {
    ...service,
    create: (components) => {
      const dht = service.create(components)
      // what goes to strangers is ours to decide: libp2p's own content routing would announce everything there
      Object.defineProperty(dht, contentRoutingSymbol, { value: undefined })
      return dht
    }
  }
}

/** What {@link startIpfs} works with. */
export interface IpfsComponents {
  readonly libp2p: Pick<
    Libp2p,
    | 'dial'
    | 'peerId'
    | 'peerStore'
    | 'getConnections'
    | 'getMultiaddrs'
    | 'addEventListener'
    | 'removeEventListener'
  >
  /** What {@link createIpfsService} made. */
  readonly service: Pick<DhtService, 'records' | 'providers' | 'book' | 'queries'>
  /** What libp2p made of it. */
  readonly dht: KadDHT
  readonly datastore: Datastore
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
}

/** How to join an IPFS DHT. */
export interface IpfsInit {
  /** Multiaddrs that end with `/p2p/` and a peer id. */
  readonly bootstrapPeers: readonly string[]
  /** The protocol id that the peers of earlier runs are recognised by. */
  readonly protocol: string
}

/** The IPFS DHT that this node has joined as a client. */
export interface Ipfs extends AsyncDisposable {
  readonly routing: Routing
  readonly names: NameRouting
  readonly sweeper: Pick<Sweeper, 'status'>
  /** Resolves with the number of IPFS peers to ask, 0 when none can be reached for now. */
  whenJoined(signal: AbortSignal): Promise<number>
  tableSize(): number
}

/**
 * Joins the IPFS DHT through bootstrap peers and IPFS peers of earlier runs, and stays in it.
 *
 * @throws DhtError `ERR_ADDRESS_INVALID` for a bootstrap peer that is no address with a peer id
 */
export function startIpfs(components: IpfsComponents, init: IpfsInit): Ipfs {
  const { libp2p, dht, service, datastore, clock } = components
  const logger = components.logger.child('ipfs')
  const table = tableOf(dht)
  const seeds = init.bootstrapPeers.map(parseStartingPeer)
  const stack = new AsyncDisposableStack()
  const knownPeers = (): Promise<readonly StartingPeer[]> => knownIpfsPeers(libp2p, init.protocol)
  const { whenJoined } = stack.use(startJoiner({ ...components, logger, table }, { seeds, knownPeers }))
  const announcements = service.providers
  const queries = service.queries()
  const routing = createRouting({ libp2p, dht, queries, whenJoined, announcements, clock, logger })
  const addresses = (): string[] => libp2p.getMultiaddrs().map(String)
  const sweeper = stack.use(
    startSweeper({
      ...components,
      ...service,
      logger,
      table,
      network: queries,
      state: createSweepStateFile(datastore, IPFS_DATASTORE_PREFIX),
      addresses: createAnnouncedAddresses({ datastore, addresses, key: IPFS_ADDRESSES_KEY })
    })
  )
  return {
    routing,
    names: kadNameRouting('ipfs', { queries, whenJoined }),
    sweeper,
    whenJoined,
    tableSize: () => table.size(),
    [Symbol.asyncDispose]: () => stack.disposeAsync()
  }
}

async function knownIpfsPeers(
  libp2p: IpfsComponents['libp2p'],
  protocol: string
): Promise<readonly StartingPeer[]> {
  const peers = await libp2p.peerStore.all({
    filters: [({ protocols, addresses }) => protocols.includes(protocol) && addresses.length > 0],
    limit: IPFS_KNOWN_PEERS_MAX
  })
  return peers.map(({ id, addresses }) => ({
    peerId: id.toString(),
    multiaddrs: addresses.map(({ multiaddr }) => multiaddr)
  }))
}
