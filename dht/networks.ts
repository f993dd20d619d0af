import type { Libp2p } from '@libp2p/interface'
import type { Datastore } from 'interface-datastore'
import type { Clock, Logger, Random } from '#contracts'
import type { Did, KeyPair } from '#did'
import { combineRouting } from './combined-routing.ts'
import type { Judge } from './confidence.ts'
import type { Connect } from './connector.ts'
import type { DhtService, DhtTable, GuardedDhtInit } from './dht-service.ts'
import { DhtError } from './errors.ts'
import { IPFS_BOOTSTRAP_PEERS } from './ipfs-constants.ts'
import { startIpfsDiscovery } from './ipfs-discovery.ts'
import type { IpfsDiscovery } from './ipfs-discovery.ts'
import { createIpfsService, ipfsProtocol, startIpfs } from './ipfs.ts'
import type { Ipfs, IpfsMode } from './ipfs.ts'
import type { HostServices } from './libp2p-options.ts'
import { createMeeting } from './meeting.ts'
import { kadNameRouting } from './name-routing.ts'
import { startNames } from './names.ts'
import type { Names } from './names.ts'
import type { QueryEngine } from './query/index.ts'
import type { Routing } from './routing.ts'

/** Which other networks a host takes part in. */
export interface IpfsHostInit {
  /** Join an IPFS DHT as a client: names and announcements go there too. Default: join none. */
  readonly ipfs?: IpfsMode
  /** Look for peers of this network in an IPFS DHT: that of `ipfs`, else the one named, else `wan`. Default: no. */
  readonly discoverIpfs?: boolean | IpfsMode
  /** Where to join the IPFS DHT: multiaddrs with `/p2p/…`. Default: the public list for `wan`, none for `lan`. */
  readonly ipfsBootstrapPeers?: readonly string[]
  /** Another protocol id instead of that of the IPFS DHT, for a network of one's own. */
  readonly ipfsProtocol?: string
}

/** What {@link startNetworks} works with. */
export interface NetworksComponents {
  readonly libp2p: Libp2p<HostServices>
  /** What {@link ipfsServiceOf} made and libp2p was started with. */
  readonly ipfsService: DhtService | undefined
  readonly table: DhtTable
  /** How our DHT is asked. */
  readonly queries: QueryEngine
  /** How far its answers can be trusted. */
  readonly judge: Judge
  /** Peers that our owner pinned, while this node is so young that its routing table cannot be relied upon. */
  readonly anchors: () => readonly string[]
  /** Routing over our DHT alone. */
  readonly routing: Routing
  /** Resolves when our DHT has a peer, or when it is clear that nobody is reachable. */
  readonly whenJoined: (signal: AbortSignal) => Promise<number>
  readonly connect: Connect
  readonly datastore: Datastore
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
  /** The key pair of a did, if this device holds it unlocked; its name is then renewed before it expires. */
  readonly signerOf?: (did: Did) => Promise<KeyPair | undefined>
}

/** Our DHT and, when joined, the IPFS DHT: routing and names over both. */
export interface Networks extends AsyncDisposable {
  readonly routing: Routing
  /** Over our DHT alone, whatever else was joined. */
  readonly own: Routing
  readonly names: Names
  /** The IPFS DHT, joined for its own sake or for discovery. */
  readonly ipfs: Ipfs | undefined
  /** Whether announcements and names go to the IPFS DHT too. */
  readonly isPublishing: boolean
  readonly discovery: IpfsDiscovery | undefined
}

/** The IPFS DHT service that a host of this init needs, if any. */
export function ipfsServiceOf(init: IpfsHostInit, guarded: GuardedDhtInit): DhtService | undefined {
  const mode = modeOf(init)
  if (mode === undefined) return undefined
  const { ipfsProtocol: protocol } = init
  return createIpfsService({ ...guarded, mode, ...(protocol === undefined ? {} : { protocol }) })
}

/** Starts names, and joins the IPFS DHT and searches it when asked to. */
export async function startNetworks(components: NetworksComponents, init: IpfsHostInit): Promise<Networks> {
  const { queries, whenJoined, routing: own, judge } = components
  await using stack = new AsyncDisposableStack()
  const ipfs = joinIpfs(components, init, stack)
  const isPublishing = ipfs !== undefined && init.ipfs !== undefined
  const discovery = isDiscovering(init) ? discover(components, ipfs, stack) : undefined
  const names = stack.use(
    startNames({
      ...components,
      routings: [
        kadNameRouting('elastos', { queries, whenJoined, judge, anchors: components.anchors }),
        ...(isPublishing ? [ipfs.names] : [])
      ]
    })
  )
  const running = stack.move()
  return {
    routing: isPublishing ? combineRouting([own, ipfs.routing]) : own,
    own,
    names,
    ipfs,
    isPublishing,
    discovery,
    [Symbol.asyncDispose]: () => running.disposeAsync()
  }
}

function isDiscovering({ discoverIpfs }: IpfsHostInit): boolean {
  return discoverIpfs !== undefined && discoverIpfs !== false
}

function modeOf(init: IpfsHostInit): IpfsMode | undefined {
  const { ipfs, discoverIpfs } = init
  if (ipfs !== undefined || !isDiscovering(init)) return ipfs
  return discoverIpfs === 'lan' ? 'lan' : 'wan'
}

function joinIpfs(
  components: NetworksComponents,
  init: IpfsHostInit,
  stack: AsyncDisposableStack
): Ipfs | undefined {
  const mode = modeOf(init)
  const dht = components.libp2p.services.ipfsDht
  const service = components.ipfsService
  if (mode === undefined || dht === undefined || service === undefined) return undefined
  const bootstrapPeers = init.ipfsBootstrapPeers ?? (mode === 'wan' ? IPFS_BOOTSTRAP_PEERS : [])
  return stack.use(
    startIpfs(
      { ...components, dht, service },
      { bootstrapPeers, protocol: init.ipfsProtocol ?? ipfsProtocol(mode) }
    )
  )
}

function discover(
  components: NetworksComponents,
  ipfs: Ipfs | undefined,
  stack: AsyncDisposableStack
): IpfsDiscovery {
  if (ipfs === undefined) throw new DhtError('ERR_IPFS_OFF', 'expected the IPFS DHT to search in, it is off')
  const { table } = components
  return stack.use(
    startIpfsDiscovery({
      ...components,
      routing: ipfs.routing,
      meet: createMeeting(components),
      tableSize: () => table.size()
    })
  )
}
