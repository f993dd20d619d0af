import type { AbortOptions, PeerId, PeerInfo, Stream, Connection } from '@libp2p/interface'
import type { KadDHT, KadDHTComponents } from '@libp2p/kad-dht'
import { Libp2pRecord } from '@libp2p/record'
import type { Datastore } from 'interface-datastore'
import { Key } from 'interface-datastore/key'
import { base32 } from 'multiformats/bases/base32'
import { CID } from 'multiformats/cid'
import * as raw from 'multiformats/codecs/raw'
import * as Digest from 'multiformats/hashes/digest'
import type { Clock } from '#contracts'
import { createAddressBook } from './address-book.ts'
import { NAMED_PEERS_MAX } from './constants.ts'
import { createQueryEngine } from './engine.ts'
import type { LocalRecords } from './engine.ts'
import { startInboundStreams } from './inbound.ts'
import { pooledNetwork } from './kad-network.ts'
import type { KadNetwork } from './kad-network.ts'
import { createPeerBook } from './peer-book.ts'
import type { BookPeer, PeerBook } from './peer-book.ts'
import { startStreamPool } from './pool.ts'
import type { StreamPool } from './pool.ts'
import { createServer } from './server.ts'
import type { ProviderRecords, ServerComponents } from './server.ts'
import { createTableView } from './table-view.ts'
import type { TableSource, TableView } from './table-view.ts'
import type { QueryTransport } from './transport.ts'
import type { QueryEngine } from './types.ts'

/** What an engine takes of a kad-dht, beyond its declared interface; held by the tests of mixed networks. */
interface KadInternals {
  readonly protocol: string
  readonly network: KadNetwork
  readonly providers: ProviderRecords & {
    addProvider(cid: CID, peerId: PeerId, options?: AbortOptions): Promise<void>
  }
  readonly rpc: {
    onIncomingStream: (stream: Stream, connection: Connection) => Promise<void>
    handleMessage(peerId: PeerId, message: object): Promise<unknown>
    readonly handlers: {
      readonly GET_VALUE: { _checkLocalDatastore(key: Uint8Array): Promise<Libp2pRecord | undefined> }
    }
  }
  stop(): Promise<void>
}

/** What {@link attachQueries} works with. */
export interface AttachComponents {
  readonly dht: KadDHT
  readonly table: TableSource
  /** Those of libp2p that the kad-dht was made with. */
  readonly components: Pick<
    KadDHTComponents,
    'peerId' | 'peerStore' | 'connectionManager' | 'addressManager' | 'events'
  >
  /** The guarded datastore of the DHT. */
  readonly datastore: Pick<Datastore, 'put'>
  readonly prefix: string
  /** Leaves those addresses of a peer that belong in the DHT. */
  readonly mapper: (peer: PeerInfo) => PeerInfo
  readonly clock: Clock
}

/**
 * Puts an engine on a kad-dht that is not started yet: its table and records stay, what it sends goes over the engine's
 * streams, and what it is asked the engine's server answers. Stopping the kad-dht stops the engine.
 */
export function attachQueries(attach: AttachComponents): QueryEngine {
  const { components, clock } = attach
  const kad = attach.dht as unknown as KadInternals
  const ownId = components.peerId.toMultihash().bytes
  const book = createPeerBook(NAMED_PEERS_MAX, ownId)
  const own = book.of(ownId)
  const table = createTableView(attach.table, book)
  const pool = startStreamPool({
    connectionManager: components.connectionManager,
    protocol: kad.protocol,
    isKnown: (peer) => table.has(peer),
    mayDial: (address) =>
      attach.mapper({ id: components.peerId, multiaddrs: [address] }).multiaddrs.length > 0,
    known: book,
    clock
  })
  const transport = forgetting(pool, { attach, table })
  const { peerStore, events } = components
  const addresses = createAddressBook({ peerStore, events, mapper: attach.mapper, book, clock })
  const ownAddresses = (): Uint8Array[] => components.addressManager.getAddresses().map(({ bytes }) => bytes)
  const served: ServerComponents = {
    ...{ own, ownAddresses, book, table, addresses, clock },
    providers: kad.providers,
    peerStore,
    heldRecord: async (key) =>
      (await kad.rpc.handlers.GET_VALUE._checkLocalDatastore(key))?.serialize().slice(),
    keepRecord: async (peer, { key, record }) => {
      const message = { type: 'PUT_VALUE', key, record, closer: [], providers: [] }
      if (peer.libp2pId !== undefined) await kad.rpc.handleMessage(peer.libp2pId, message)
    }
  }
  const inbound = startInboundStreams({ book, answer: createServer(served), clock })
  kad.rpc.onIncomingStream = async (stream, connection) => {
    inbound.serve(stream, connection)
  }
  Object.assign(kad.network, pooledNetwork(transport, book))
  const engine = createQueryEngine({
    book,
    transport,
    table,
    local: localRecords(attach, { book, providers: kad.providers }),
    ownId,
    ownAddresses,
    metrics: () => pool.metrics(),
    clock
  })
  const stop = kad.stop.bind(kad)
  kad.stop = async () => {
    await engine[Symbol.asyncDispose]()
    for (const part of [pool, inbound, addresses, table]) part[Symbol.dispose]()
    await stop()
  }
  return engine
}

/**
 * The pool, and peers that could not be reached leave the routing table. Stock kad-dht leaves them there until their
 * bucket is full and somebody else wants in: where nodes come and go, most of a table is soon names of the gone.
 */
function forgetting(
  pool: StreamPool,
  { attach, table }: { readonly attach: AttachComponents; readonly table: TableView }
): QueryTransport {
  const forget = (peer: BookPeer): void => {
    // a peer that is connected is there, and a node that reaches nobody is itself what is wrong
    if (pool.isConnected(peer) || attach.components.connectionManager.getConnections().length === 0) return
    if (table.has(peer)) table.remove(peer)
  }
  const watched = async <T>(peer: BookPeer, signal: AbortSignal, sending: Promise<T>): Promise<T> => {
    try {
      return await sending
    } catch (error) {
      if (!signal.aborted) forget(peer)
      throw error
    }
  }
  return {
    request: async (peer, message, signal) =>
      await watched(peer, signal, pool.request(peer, message, signal)),
    tell: async (peer, messages, signal) => await watched(peer, signal, pool.tell(peer, messages, signal)),
    isConnected: (peer) => pool.isConnected(peer)
  }
}

function localRecords(
  { components, datastore, prefix, clock }: AttachComponents,
  { book, providers }: { readonly book: PeerBook; readonly providers: KadInternals['providers'] }
): LocalRecords {
  const { peerId: own, peerStore } = components
  return {
    providers: async (key) => {
      const found: BookPeer[] = []
      for (const peerId of await providers.getProviders(cidOf(key))) {
        if (peerId.equals(own)) continue
        // one whose addresses were forgotten cannot be reached
        const info = await peerStore.getInfo(peerId).catch(() => undefined)
        if (info === undefined) continue
        const multiaddrs = info.multiaddrs.map(({ bytes }) => bytes)
        found.push(book.named({ id: peerId.toMultihash().bytes, multiaddrs }))
      }
      return found
    },
    addOwnProvider: async (key) => {
      await providers.addProvider(cidOf(key), own)
    },
    putValue: async (key, value) => {
      const record = new Libp2pRecord(key, value, new Date(clock.nowMs())).serialize().slice()
      await datastore.put(new Key(`${prefix}/record/${base32.baseEncode(key)}`, false), record)
      return record
    }
  }
}

function cidOf(key: Uint8Array): CID {
  return CID.createV1(raw.code, Digest.decode(key))
}
