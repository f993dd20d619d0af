import { kadDHT, removePrivateAddressesMapper, removePublicAddressesMapper } from '@libp2p/kad-dht'
import type { KadDHT, KadDHTComponents, KadDHTInit } from '@libp2p/kad-dht'
import { contentRoutingSymbol } from '@libp2p/interface'
import type { Libp2p } from '@libp2p/interface'
import type { Clock, Logger, Random } from '#contracts'
import { LOOKUP_CONCURRENCY, LOOKUP_PATHS } from './constants.ts'
import { tableOf } from './dht-service.ts'
import {
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
import { createRouting } from './routing.ts'
import type { Routing } from './routing.ts'

/** Which IPFS DHT: the public one, or the one of IPFS nodes in the local network (and on loopback). */
export type IpfsMode = 'wan' | 'lan'

/** What {@link ipfsDhtService} makes a DHT of. */
export interface IpfsDhtInit {
  readonly mode: IpfsMode
  readonly clock: Pick<Clock, 'nowMs'>
  /** Another protocol id, for a network of one's own; by default the one of `mode`. */
  readonly protocol?: string
}

/** The protocol id of an IPFS DHT. */
export function ipfsProtocol(mode: IpfsMode): string {
  return mode === 'wan' ? IPFS_WAN_PROTOCOL : IPFS_LAN_PROTOCOL
}

/** The options of the second, client-only kad-dht; nothing of it is shared with ours. */
export function ipfsDhtOptions({ mode, clock, protocol }: IpfsDhtInit): KadDHTInit {
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
    ...createRecordRules(clock)
  }
}

/** A service factory for libp2p: the IPFS DHT, as a client. */
export function ipfsDhtService(init: IpfsDhtInit): (components: KadDHTComponents) => KadDHT {
  return (components) => {
    const dht = kadDHT(ipfsDhtOptions(init))(components)
    // what goes to strangers is ours to decide: libp2p's own content routing would announce everything there
    Object.defineProperty(dht, contentRoutingSymbol, { value: undefined })
    return dht
  }
}

/** What {@link startIpfs} works with. */
export interface IpfsComponents {
  readonly libp2p: Pick<
    Libp2p,
    'dial' | 'peerId' | 'peerStore' | 'getConnections' | 'addEventListener' | 'removeEventListener'
  >
  /** What {@link ipfsDhtService} made. */
  readonly dht: KadDHT
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
  const { libp2p, dht, clock } = components
  const logger = components.logger.child('ipfs')
  const table = tableOf(dht)
  const joiner = startJoiner(
    { ...components, logger, table },
    {
      seeds: init.bootstrapPeers.map(parseStartingPeer),
      knownPeers: () => knownIpfsPeers(libp2p, init.protocol)
    }
  )
  const { whenJoined } = joiner
  return {
    routing: createRouting({ libp2p, dht, whenJoined, clock, logger }),
    names: kadNameRouting('ipfs', { dht, whenJoined }),
    whenJoined,
    tableSize: () => table.size(),
    [Symbol.asyncDispose]: () => joiner[Symbol.asyncDispose]()
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
