import type { PeerInfo } from '@libp2p/interface'
import { kadDHT } from '@libp2p/kad-dht'
import type { KadDHT, KadDHTComponents, KadDHTInit } from '@libp2p/kad-dht'
import type { Datastore } from 'interface-datastore'
import type { Clock } from '#contracts'
import {
  DHT_DATASTORE_PREFIX,
  DHT_LOG_PREFIX,
  DHT_METRICS_PREFIX,
  DHT_PROTOCOL,
  FIRST_SELF_LOOKUP_DELAY_MS,
  LOOKUP_CONCURRENCY,
  LOOKUP_PATHS
} from './constants.ts'
import { createRecordRules } from './name-rules.ts'
import { mayRoute } from './reach.ts'
import type { Reach } from './reach.ts'

/** The components that kad-dht reads lazily, so that each is looked up when it is used. */
const KAD_COMPONENTS = [
  'peerId',
  'privateKey',
  'registrar',
  'addressManager',
  'peerStore',
  'metrics',
  'connectionManager',
  'events',
  'logger',
  'ping'
] as const satisfies readonly (keyof KadDHTComponents)[]

/** What our DHT is made of. */
export interface DhtServiceInit {
  readonly reach: Reach
  /** Ask only, answer nobody: for nodes that listen nowhere. */
  readonly clientMode: boolean
  /** What kad-dht stores its records in: the node's datastore behind our guards. */
  readonly datastore: Datastore
  readonly clock: Pick<Clock, 'nowMs'>
}

/** The options of our kad-dht, apart from the seams of {@link createDhtService}. */
export function dhtOptions({ reach, clientMode, clock }: Omit<DhtServiceInit, 'datastore'>): KadDHTInit {
  return {
    protocol: DHT_PROTOCOL,
    datastorePrefix: DHT_DATASTORE_PREFIX,
    logPrefix: DHT_LOG_PREFIX,
    metricsPrefix: DHT_METRICS_PREFIX,
    clientMode,
    alpha: LOOKUP_CONCURRENCY,
    disjointPaths: LOOKUP_PATHS,
    initialQuerySelfInterval: FIRST_SELF_LOOKUP_DELAY_MS,
    // a query with an empty table ends at once; who may have to wait for a first peer waits in our routing, with a bound
    allowQueryWithZeroPeers: true,
    peerInfoMapper: (peer) => routablePeer(reach, peer),
    ...createRecordRules(clock)
  }
}

/** A peer with only those addresses that belong in the routing table of a node of this reach. */
export function routablePeer(reach: Reach, peer: PeerInfo): PeerInfo {
  return { ...peer, multiaddrs: peer.multiaddrs.filter((address) => mayRoute(reach, address)) }
}

/** A service factory for libp2p: our DHT behind its guards. */
export function createDhtService(init: DhtServiceInit): (components: KadDHTComponents) => KadDHT {
  return (components) => {
    const guarded = { datastore: init.datastore }
    for (const name of KAD_COMPONENTS) {
      Object.defineProperty(guarded, name, { enumerable: true, get: () => components[name] })
    }
    return kadDHT(dhtOptions(init))(guarded as KadDHTComponents)
  }
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
  /** Calls `handler` whenever a peer enters the table, until disposed. */
  onAdd(handler: (peerId: string) => void): Disposable
}

interface KadPeer {
  readonly kadId: Uint8Array
  readonly peerId: { toString(): string }
}

/** What kad-dht's routing table has beyond its declared interface; held by the contract test of this file. */
interface KadTable extends EventTarget {
  readonly size: number
  readonly kb: { readonly localPeer?: KadPeer; toIterable(): Iterable<KadPeer> }
}

/** The routing table of a kad-dht. */
export function tableOf(dht: KadDHT): DhtTable {
  const table = (dht as unknown as { routingTable: KadTable }).routingTable
  return {
    size: () => table.size,
    kadIds: () => [...table.kb.toIterable()].map(({ kadId }) => kadId),
    ownKadId: () => table.kb.localPeer?.kadId,
    peerIds: () => [...table.kb.toIterable()].map(({ peerId }) => peerId.toString()),
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
    }
  }
}
