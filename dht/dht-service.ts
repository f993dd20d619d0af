import type { PeerId, PeerInfo } from '@libp2p/interface'
import { kadDHT } from '@libp2p/kad-dht'
import type { KadDHT, KadDHTComponents, KadDHTInit } from '@libp2p/kad-dht'
import { peerIdFromString } from '@libp2p/peer-id'
import type { Datastore } from 'interface-datastore'
import type { Clock } from '#contracts'
import {
  CLOSEST_PEERS,
  DHT_DATASTORE_PREFIX,
  DHT_LOG_PREFIX,
  DHT_METRICS_PREFIX,
  DHT_PROTOCOL,
  FIRST_SELF_LOOKUP_DELAY_MS,
  LOOKUP_CONCURRENCY,
  LOOKUP_PATHS,
  TABLE_UPDATES_PARALLEL
} from './constants.ts'
import { DhtError } from './errors.ts'
import { tagWhenOthers } from './closest-tags.ts'
import { guardDatastore } from './guarded-datastore.ts'
import { createKadPing } from './kad-ping.ts'
import { createRecordRules } from './name-rules.ts'
import { createAnnouncementBook } from './provide/announcement-book.ts'
import type { AnnouncementBook } from './provide/announcement-book.ts'
import { createProviderGuard } from './provider-guard.ts'
import type { ProviderGuard } from './provider-guard.ts'
import { attachQueries } from './query/kad.ts'
import type { QueryEngine } from './query/index.ts'
import { mayRoute } from './reach.ts'
import type { Reach } from './reach.ts'
import { createRecordGuard } from './record-guard.ts'
import { divideOwnPath } from './table-shape.ts'
import type { RecordGuard } from './record-guard.ts'

/** What kad-dht gets of libp2p as it is. */
const KAD_COMPONENTS = [
  'peerId',
  'privateKey',
  'registrar',
  'addressManager',
  'peerStore',
  'metrics',
  'connectionManager',
  'events',
  'logger'
] as const satisfies readonly (keyof KadDHTComponents)[]

/** A time after which even the longest-lived process has been restarted: the most a timer can wait. */
const NEVER_MS = 2 ** 31 - 1

/** What our DHT is made of. */
export interface DhtServiceInit {
  readonly reach: Reach
  /** Ask only, answer nobody: for nodes that listen nowhere. */
  readonly clientMode: boolean
  /** The node's datastore. */
  readonly datastore: Datastore
  readonly ownPeerId: string
  readonly clock: Clock
}

/** A DHT before libp2p makes it. */
export interface DhtService {
  /** Makes the DHT, as libp2p wants it. */
  readonly create: (components: KadDHTComponents) => KadDHT
  readonly records: RecordGuard
  readonly providers: ProviderGuard
  /** What is announced again by itself. */
  readonly book: AnnouncementBook
  /** How this DHT is asked, once it was made. @throws before that */
  readonly queries: () => QueryEngine
}

/** Switches off the announcing again of kad-dht itself: ours takes its place. */
export const NO_REPROVIDE: NonNullable<KadDHTInit['reprovide']> = { interval: NEVER_MS }

/** The options of our kad-dht, apart from the seams of {@link createDhtService}. */
export function dhtOptions({
  reach,
  clientMode,
  clock
}: Omit<DhtServiceInit, 'datastore' | 'ownPeerId'>): KadDHTInit {
  return {
    protocol: DHT_PROTOCOL,
    datastorePrefix: DHT_DATASTORE_PREFIX,
    logPrefix: DHT_LOG_PREFIX,
    metricsPrefix: DHT_METRICS_PREFIX,
    clientMode,
    kBucketSize: CLOSEST_PEERS,
    alpha: LOOKUP_CONCURRENCY,
    disjointPaths: LOOKUP_PATHS,
    initialQuerySelfInterval: FIRST_SELF_LOOKUP_DELAY_MS,
    // the refresh of the table looks for our neighbours from then on
    querySelfInterval: NEVER_MS,
    // a query with an empty table ends at once; who may have to wait for a first peer waits in our routing, with a bound
    allowQueryWithZeroPeers: true,
    peerInfoMapper: (peer) => routablePeer(reach, peer),
    routingTableUpdateQueueConcurrency: TABLE_UPDATES_PARALLEL,
    reprovide: NO_REPROVIDE,
    ...createRecordRules(clock)
  }
}

/** A peer with only those addresses that belong in the routing table of a node of this reach. */
export function routablePeer(reach: Reach, peer: PeerInfo): PeerInfo {
  return { ...peer, multiaddrs: peer.multiaddrs.filter((address) => mayRoute(reach, address)) }
}

/** Our DHT behind its guards. */
export function createDhtService(init: DhtServiceInit): DhtService {
  return guardDht(init, dhtOptions(init))
}

/** What {@link guardDht} works with. */
export type GuardedDhtInit = Pick<DhtServiceInit, 'datastore' | 'ownPeerId' | 'clock'>

/** A kad-dht of these options, a datastore prefix among them, behind our guards. */
export function guardDht(init: GuardedDhtInit, options: KadDHTInit): DhtService {
  const { datastore, ownPeerId, clock } = init
  const { datastorePrefix: prefix = DHT_DATASTORE_PREFIX, selectors = {} } = options
  let peerStore: KadDHTComponents['peerStore'] | undefined
  let queries: QueryEngine | undefined
  const records = createRecordGuard({ datastore, prefix, selectors, clock })
  const book = createAnnouncementBook({ datastore, prefix })
  const providers = createProviderGuard({
    datastore,
    prefix,
    ownPeerId,
    clock,
    book,
    isKnown: async (peerId) => (await peerStore?.has(peerIdFromString(peerId))) ?? false
  })
  const create = (components: KadDHTComponents): KadDHT => {
    peerStore = components.peerStore
    const plain = Object.fromEntries(KAD_COMPONENTS.map((name) => [name, components[name]]))
    const isInTable = (peerId: string): boolean => tableOf(dht).peerIds().includes(peerId)
    const ping = createKadPing({
      ping: components.ping,
      connectionManager: components.connectionManager,
      isInTable,
      clock
    })
    const guarded = guardDatastore(datastore, { records, providers })
    const dht = kadDHT(options)({ ...plain, datastore: guarded, ping } as KadDHTComponents)
    divideOwnPath(dht)
    tagWhenOthers(dht)
    const mapper = options.peerInfoMapper ?? ((peer: PeerInfo) => peer)
    queries = attachQueries({
      dht,
      table: tableOf(dht),
      components,
      datastore: guarded,
      prefix,
      mapper,
      clock
    })
    return dht
  }
  const made = (): QueryEngine => {
    if (queries === undefined)
      throw new DhtError('ERR_HOST_CLOSED', 'expected a DHT that was made, it was not')
    return queries
  }
  return { create, records, providers, book, queries: made }
}

/** The routing table of a DHT as the rest of this folder sees it. */
export interface DhtTable {
  /** How many peers are in it. */
  size(): number
  /** The Kademlia ids (SHA-256 of the PeerId) of the peers in it. */
  kadIds(): Uint8Array[]
  /** Our own Kademlia id, once the DHT is started. */
  ownKadId(): Uint8Array | undefined
  /** The PeerIds of the peers in it. */
  peerIds(): string[]
  /** The multihashes of those PeerIds. */
  ids(): Iterable<Uint8Array>
  /** The PeerIds of the peers in it that are nearest to a Kademlia id. */
  closest(kadId: Uint8Array, count: number): string[]
  /** The protocol that the peers in it speak. */
  readonly protocol: string
  /** Suggests a peer for it; it enters when it is there and there is room. */
  offer(peerId: string): void
  /** Takes a peer out of it. */
  remove(peerId: string): void
  /** Calls `handler` whenever a peer enters the table, until disposed. */
  onAdd(handler: (peerId: string) => void): Disposable
  /** Calls `handler` whenever a peer enters or leaves the table, until disposed. */
  onChange(handler: () => void): Disposable
}

interface KadPeer {
  readonly kadId: Uint8Array
  readonly peerId: PeerId
}

/** What kad-dht's routing table has beyond its declared interface; held by the contract test of this file. */
interface KadTable extends EventTarget {
  readonly size: number
  queueRoutingTableUpdate(peerId: PeerId): void
  remove(peerId: PeerId): Promise<void>
  closestPeers(kadId: Uint8Array, options: { count: number }): { toString(): string }[]
  readonly kb: { readonly localPeer?: KadPeer; toIterable(): Iterable<KadPeer> }
}

/** The routing table of a kad-dht. */
export function tableOf(dht: KadDHT): DhtTable {
  const { routingTable: table, protocol } = dht as unknown as { routingTable: KadTable; protocol: string }
  return {
    protocol,
    offer: (peerId) => {
      table.queueRoutingTableUpdate(peerIdFromString(peerId))
    },
    size: () => table.size,
    kadIds: () => [...table.kb.toIterable()].map(({ kadId }) => kadId),
    ownKadId: () => table.kb.localPeer?.kadId,
    ids: () => Iterator.from(table.kb.toIterable()).map(({ peerId }) => peerId.toMultihash().bytes),
    peerIds: () => [...table.kb.toIterable()].map(({ peerId }) => peerId.toString()),
    remove: (peerId) => {
      // nothing but a closed datastore can fail here, and then the table is of no use any more
      void table.remove(peerIdFromString(peerId)).catch(() => undefined)
    },
    closest: (kadId, count) => table.closestPeers(kadId, { count }).map(String),
    onAdd: (handler) => {
      const listener = (event: Event): void => {
        handler(String((event as CustomEvent<unknown>).detail))
      }
      table.addEventListener('peer:add', listener)
      return {
        [Symbol.dispose]: () => {
          table.removeEventListener('peer:add', listener)
        }
      }
    },
    onChange: (handler) => {
      const changes = ['peer:add', 'peer:remove'] as const
      for (const change of changes) table.addEventListener(change, handler)
      return {
        [Symbol.dispose]: () => {
          for (const change of changes) table.removeEventListener(change, handler)
        }
      }
    }
  }
}
