import type { Clock, Logger, Random } from '#contracts'
import { createBareRecords } from './bare-records.ts'
import type { BareRecords } from './bare-records.ts'
import { createBareTable } from './bare-table.ts'
import type { BareTable } from './bare-table.ts'
import { decodeMessage, encodeMessage, encodePeer } from './query/codec.ts'
import { createQueryEngine } from './query/engine.ts'
import type { WirePeer } from './query/messages.ts'
import type { BookPeer, PeerBook } from './query/peer-book.ts'
import { createServer } from './query/server.ts'
import type { QueryTransport } from './query/transport.ts'
import type { DhtPeer, QueryEngine } from './query/types.ts'
import { startTableRefresh } from './table-refresh.ts'
import type { TableRefresh } from './table-refresh.ts'

/** How messages of a bare DHT reach others: the bytes of the wire, without libp2p's streams around them. */
export interface BareNetwork {
  /** Asks, and resolves with the answer. @throws when there is none, or the reason of `signal` */
  request(to: DhtPeer, message: Uint8Array, signal: AbortSignal): Promise<Uint8Array>
  /** Hands a message over that has no answer. @throws when it did not arrive, or the reason of `signal` */
  tell(to: DhtPeer, message: Uint8Array, signal: AbortSignal): Promise<void>
  /** Whether asking costs no dial. */
  isConnected(to: DhtPeer): boolean
}

/** What a bare DHT is made of. */
export interface BareDhtComponents {
  /** Names peers. Nodes of one process may share one, and what is worked out of an id is then worked out once. */
  readonly book: PeerBook
  readonly network: BareNetwork
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
}

/** Who a node of a bare DHT is. */
export interface BareDhtInit {
  /** The multihash of its PeerId. */
  readonly id: Uint8Array
  /** Where it says that it is, binary multiaddrs. */
  readonly multiaddrs: readonly Uint8Array[]
}

/** A node of the DHT that stands on messages alone: its queries, what it answers, and the care for its table. */
export interface BareDht extends AsyncDisposable {
  readonly queries: QueryEngine
  readonly table: BareTable
  readonly records: BareRecords
  readonly refresh: TableRefresh
  /** Answers a message; `undefined` when it asks for no answer. @throws when it is refused */
  answer(from: DhtPeer, message: Uint8Array): Promise<Uint8Array | undefined>
  /** Puts a peer into the table, to begin with. */
  meet(peerId: string, multiaddrs: readonly Uint8Array[]): void
}

/**
 * Starts a node of the DHT without libp2p: the same queries, server, codec, rules and upkeep of the table over a network of
 * somebody else, with a table and records of its own. For simulations of many nodes.
 */
export function startBareDht(components: BareDhtComponents, init: BareDhtInit): BareDht {
  const { book, clock } = components
  const own = book.of(init.id)
  book.named({ id: init.id, multiaddrs: init.multiaddrs })
  const table = createBareTable(own, book)
  const records = createBareRecords(own, book, clock)
  const counts = { messages: 0, failures: 0, streams: 0 }
  const queries = createQueryEngine({
    ...{ book, clock, ownId: init.id, local: records },
    transport: bareTransport(components, table, counts),
    table: { nearest: (target, count) => table.nearest(target, count), offer: (peer) => table.add(peer) },
    ownAddresses: () => init.multiaddrs,
    metrics: () => counts
  })
  const serve = createServer({
    ...{ own, book, table, clock },
    ownAddresses: () => init.multiaddrs,
    addresses: { wirePeers: wireOf, [Symbol.dispose]: () => undefined },
    providers: records.served,
    // addresses travel with whoever names the peer
    peerStore: { merge: () => Promise.resolve() },
    heldRecord: async (key) => await records.heldRecord(key),
    keepRecord: async (peer, message) => {
      await records.keepRecord(peer, message)
    }
  })
  const refresh = startTableRefresh({
    ...components,
    queries,
    table: { ...table, protocol: '' },
    ownKey: init.id
  })
  return {
    ...{ queries, table, records, refresh },
    answer: async (from, message) => {
      const asking = book.ofText(from.peerId)
      const answer = await serve(asking, decodeMessage(withoutLength(message)))
      table.add(asking)
      return answer === undefined ? undefined : encodeMessage(answer)
    },
    meet: (peerId, multiaddrs) => {
      const peer = book.ofText(peerId)
      table.add(book.named({ id: peer.id, multiaddrs }))
    },
    [Symbol.asyncDispose]: async () => {
      await refresh[Symbol.asyncDispose]()
      await queries[Symbol.asyncDispose]()
    }
  }
}

/** Sends over the network, and takes who could not be reached out of the table, as a node on libp2p does. */
function bareTransport(
  { network, book }: Pick<BareDhtComponents, 'network' | 'book'>,
  table: BareTable,
  counts: { messages: number; failures: number }
): QueryTransport {
  const watched = async <T>(peer: BookPeer, signal: AbortSignal, sending: Promise<T>): Promise<T> => {
    counts.messages += 1
    try {
      return await sending
    } catch (error) {
      if (!signal.aborted) {
        counts.failures += 1
        table.drop(peer)
      }
      throw error
    }
  }
  return {
    request: async (peer, message, signal) => {
      const answer = await watched(peer, signal, network.request(peer, encodeMessage(message), signal))
      return decodeMessage(withoutLength(answer), book)
    },
    tell: async (peer, messages, signal) => {
      for (const message of messages) {
        await watched(peer, signal, network.tell(peer, encodeMessage(message), signal))
      }
    },
    isConnected: (peer) => network.isConnected(peer)
  }
}

function wireOf(peers: readonly BookPeer[]): WirePeer[] {
  const named: WirePeer[] = []
  for (const peer of peers) {
    const { id, multiaddrs } = peer
    if (multiaddrs.length === 0) continue
    if (peer.wire?.multiaddrs !== multiaddrs) {
      peer.wire = { id, multiaddrs, encoded: encodePeer({ id, multiaddrs }) }
    }
    named.push(peer.wire)
  }
  return named
}

/** A message without the length before it. */
function withoutLength(bytes: Uint8Array): Uint8Array {
  let at = 0
  while (((bytes[at] ?? 0) & 0x80) !== 0) at += 1
  return bytes.subarray(at + 1)
}
