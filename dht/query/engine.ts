import { orAborted } from '#contracts'
import { Libp2pRecord } from '@libp2p/record'
import { CLOSEST_PEERS, HEARD_MAX } from '../constants.ts'
import { startDeadline } from '../deadline.ts'
import { DhtError } from '../errors.ts'
import { ANNOUNCE_BATCH, FAILURE_SHARE_MAX, FAILURE_SHARE_WEIGHT, STORE_TAIL_MAX_MS } from './constants.ts'
import { KAD_MESSAGE } from './messages.ts'
import type { KadMessage } from './messages.ts'
import { BookPeer, kadIdOf } from './peer-book.ts'
import { runQuery } from './run-query.ts'
import type { QueryComponents } from './run-query.ts'
import type { Goal, Search } from './search.ts'
import type { QueryTransport } from './transport.ts'
import { asTheyCome } from './as-they-come.ts'
import { storeWith } from './store.ts'
import type {
  DhtPeer,
  LookupOptions,
  ProvidersAnswer,
  ProvideQueryOptions,
  QueryEngine,
  QueryMetrics,
  StartOptions,
  StoreOutcome,
  ValueAnswer
} from './types.ts'

/** What this node itself has of what the DHT holds. */
export interface LocalRecords {
  /** Providers of a content that announced themselves here, with their addresses. */
  providers(key: Uint8Array): Promise<readonly DhtPeer[]>
  /** Notes that this node provides a content. */
  addOwnProvider(key: Uint8Array): Promise<void>
  /** Keeps a value and returns the record of it for others. @throws when a better one is held */
  putValue(key: Uint8Array, value: Uint8Array): Promise<Uint8Array>
}

/** What {@link createQueryEngine} is made of. */
export interface QueryEngineComponents extends QueryComponents {
  readonly local: LocalRecords
  /** The multihash of our own PeerId. */
  readonly ownId: Uint8Array
  /** Where we say that we are, binary multiaddrs. */
  readonly ownAddresses: () => readonly Uint8Array[]
  readonly metrics: () => Omit<QueryMetrics, 'queries'>
}

/** Why a query ends of which nobody takes the answers any more. */
const LEFT = new DhtError('ERR_REQUEST_FAILED', 'expected somebody who takes the answers of the query')

/** An engine over a transport and a routing table. */
export function createQueryEngine(components: QueryEngineComponents): QueryEngine {
  return new Engine(components)
}

class Engine implements QueryEngine {
  readonly #components: QueryEngineComponents
  readonly #own: BookPeer
  readonly #closing = new AbortController()
  readonly #tails = new Set<Promise<unknown>>()
  #queries = 0
  /** Which share of those asked did not answer of late. */
  #failureShare = 0

  constructor(components: QueryEngineComponents) {
    this.#components = components
    this.#own = components.book.of(components.ownId)
  }

  async lookup(
    key: Uint8Array,
    signal: AbortSignal,
    { count = CLOSEST_PEERS, isThorough = false, onEnd }: Omit<LookupOptions, 'signal'> = {}
  ): Promise<DhtPeer[]> {
    const message = { type: KAD_MESSAGE.findNode, key }
    const goal = isThorough ? 'thorough' : 'nearest'
    const search = await this.#run({ key, message, goal, count, signal })
    onEnd?.({ messages: search.messages, rounds: search.rounds })
    return search.nearest(count)
  }

  async sendTo(
    peer: DhtPeer | string,
    message: KadMessage,
    signal: AbortSignal
  ): Promise<KadMessage | undefined> {
    const { transport } = this.#components
    if (message.type !== KAD_MESSAGE.addProvider) {
      return await transport.request(this.#peer(peer), message, signal)
    }
    await transport.tell(this.#peer(peer), [message], signal)
    return undefined
  }

  async announceTo(
    peer: DhtPeer | string,
    keys: readonly Uint8Array[],
    signal: AbortSignal
  ): Promise<number> {
    const to = this.#peer(peer)
    let announced = 0
    try {
      for (; announced < keys.length; announced += ANNOUNCE_BATCH) {
        const messages = keys
          .slice(announced, announced + ANNOUNCE_BATCH)
          .map((key) => this.#announcement(key))
        await this.#components.transport.tell(to, messages, signal)
      }
    } catch (error) {
      if (announced === 0 || signal.aborted) throw error
    }
    return Math.min(announced, keys.length)
  }

  async *findProviders(
    key: Uint8Array,
    signal: AbortSignal,
    options: StartOptions = {}
  ): AsyncGenerator<ProvidersAnswer> {
    const local = await this.#components.local.providers(key)
    if (local.length > 0) yield { peer: this.#own, providers: local }
    const message = { type: KAD_MESSAGE.getProviders, key }
    yield* this.#stream({ ...options, key, message, goal: 'providers', signal }, (peer, answer) =>
      this.#providersOf(peer, answer)
    )
  }

  async *askNearest(key: Uint8Array, count: number, signal: AbortSignal): AsyncGenerator<ProvidersAnswer> {
    const { local, transport } = this.#components
    const held = await local.providers(key)
    if (held.length > 0) yield { peer: this.#own, providers: held }
    const message = { type: KAD_MESSAGE.getProviders, key }
    const answers = this.#nearestKnown(key, count).map(
      async (peer) => await transport.request(peer, message, signal).then((answer) => ({ peer, answer }))
    )
    for await (const { peer, answer } of asTheyCome(answers)) {
      yield this.#providersOf(peer, answer)
    }
    signal.throwIfAborted()
  }

  async announceNearest(key: Uint8Array, count: number, signal: AbortSignal): Promise<number> {
    const { transport } = this.#components
    const sent = this.#nearestKnown(key, count).map(
      async (peer) => await transport.tell(peer, [this.#announcement(key)], signal)
    )
    const settled = await Promise.allSettled(sent)
    return settled.filter(({ status }) => status === 'fulfilled').length
  }

  async provide(key: Uint8Array, { signal, onStored }: ProvideQueryOptions): Promise<StoreOutcome> {
    await this.#components.local.addOwnProvider(key)
    const message = { type: KAD_MESSAGE.findNode, key }
    const search = await this.#run({ key, message, goal: 'nearest', signal })
    const announcement = this.#announcement(key)
    // the slow tail outlives the caller's signal
    const limit = startDeadline(this.#components.clock, STORE_TAIL_MAX_MS, this.#closing.signal)
    const store = storeWith(search.nearest(2 * CLOSEST_PEERS), {
      count: CLOSEST_PEERS,
      signal: limit.signal,
      send: async (peer) => {
        await this.#components.transport.tell(peer, [announcement], limit.signal)
        return true
      },
      ...(onStored === undefined ? {} : { onStored })
    })
    const settled = store.settled.finally(() => limit[Symbol.dispose]())
    this.#track(settled)
    return { stored: await orAborted(store.enough, signal), settled }
  }

  async *getValue(
    key: Uint8Array,
    signal: AbortSignal,
    options: StartOptions = {}
  ): AsyncGenerator<ValueAnswer> {
    const message = { type: KAD_MESSAGE.getValue, key }
    yield* this.#stream({ ...options, key, message, goal: 'thorough', signal }, (peer, { record }) => {
      const value = record === undefined ? undefined : valueOf(record, key)
      return value === undefined ? { peer } : { peer, value }
    })
  }

  async putValue(key: Uint8Array, value: Uint8Array, signal: AbortSignal): Promise<number> {
    const { local, transport } = this.#components
    const record = await local.putValue(key, value)
    const lookup = { type: KAD_MESSAGE.findNode, key }
    const search = await this.#run({ key, message: lookup, goal: 'nearest', signal })
    const message = { type: KAD_MESSAGE.putValue, key, record }
    const store = storeWith(search.nearest(2 * CLOSEST_PEERS), {
      count: CLOSEST_PEERS,
      signal,
      send: async (peer) => {
        const answer = await transport.request(peer, message, signal)
        const taken = answer.record === undefined ? undefined : valueOf(answer.record, key)
        return taken !== undefined && Buffer.compare(taken, value) === 0
      }
    })
    return await orAborted(store.settled, signal)
  }

  metrics(): QueryMetrics {
    return { queries: this.#queries, ...this.#components.metrics() }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort(new DhtError('ERR_HOST_CLOSED', 'the DHT is stopped'))
    await Promise.allSettled(this.#tails)
  }

  #peer(peer: DhtPeer | string): BookPeer {
    if (peer instanceof BookPeer) return peer
    return this.#components.book.ofText(typeof peer === 'string' ? peer : peer.peerId)
  }

  #nearestKnown(key: Uint8Array, count: number): BookPeer[] {
    return this.#components.table.nearest(kadIdOf(key), count)
  }

  #announcement(key: Uint8Array): KadMessage {
    const { ownId, ownAddresses } = this.#components
    return { type: KAD_MESSAGE.addProvider, key, providers: [{ id: ownId, multiaddrs: ownAddresses() }] }
  }

  #providersOf(peer: BookPeer, { providers = [] }: KadMessage): ProvidersAnswer {
    const named = providers.map((provider) => this.#components.book.named(provider))
    return { peer, providers: named.filter(({ libp2pId }) => libp2pId !== undefined) }
  }

  async #run(
    query: QueryOf & { readonly onAnswer?: (peer: BookPeer, answer: KadMessage) => void }
  ): Promise<Search> {
    this.#closing.signal.throwIfAborted()
    this.#queries += 1
    const { key, count = CLOSEST_PEERS } = query
    // where many are gone, nobody is taken to be there who has not answered
    const isSteady = this.#failureShare <= FAILURE_SHARE_MAX
    const goal = query.goal === 'nearest' && !isSteady ? 'thorough' : query.goal
    const init = { ...query, goal, count, target: kadIdOf(key), own: this.#own }
    const search = await runQuery(this.#startingFrom(query), init)
    this.#failureShare += (search.failureShare - this.#failureShare) * FAILURE_SHARE_WEIGHT
    return search
  }

  #startingFrom({ from, heard }: StartOptions): QueryComponents {
    const { book, table, transport } = this.#components
    const components =
      heard === undefined ? this.#components : { ...this.#components, transport: hearing(transport, heard) }
    if (from === undefined) return components
    const starting = from.map((peerId) => book.ofText(peerId))
    return { ...components, table: { nearest: () => starting, offer: (peer) => table.offer(peer) } }
  }

  /** Yields what is made of the answers of a query as they come; ends the query when nobody takes them any more. */
  async *#stream<T>(
    query: QueryOf,
    read: (peer: BookPeer, answer: KadMessage) => T | undefined
  ): AsyncGenerator<T> {
    const leaving = new AbortController()
    const waiting: T[] = []
    let wake = Promise.withResolvers<void>()
    let isOver = false
    const run = this.#run({
      ...query,
      signal: AbortSignal.any([query.signal, leaving.signal]),
      onAnswer: (peer, answer) => {
        const item = read(peer, answer)
        if (item === undefined) return
        waiting.push(item)
        wake.resolve()
      }
    }).finally(() => {
      isOver = true
      wake.resolve()
    })
    run.catch(() => undefined)
    try {
      for (;;) {
        for (let item = waiting.shift(); item !== undefined; item = waiting.shift()) yield item
        if (isOver) break
        await wake.promise
        wake = Promise.withResolvers()
      }
      await run
    } finally {
      leaving.abort(LEFT)
    }
  }

  #track(tail: Promise<unknown>): void {
    this.#tails.add(tail)
    void tail.finally(() => this.#tails.delete(tail))
  }
}

/** A transport that asks nobody for what was heard, and notes what is. */
function hearing(transport: QueryTransport, heard: NonNullable<StartOptions['heard']>): QueryTransport {
  return {
    request: async (peer, message, signal) => {
      const answer = heard.get(peer) ?? (await transport.request(peer, message, signal))
      if (heard.size < HEARD_MAX) heard.set(peer, answer)
      return answer
    },
    tell: async (peer, messages, signal) => await transport.tell(peer, messages, signal),
    isConnected: (peer) => heard.has(peer) || transport.isConnected(peer)
  }
}

interface QueryOf extends StartOptions {
  readonly key: Uint8Array
  readonly message: KadMessage
  readonly goal: Goal
  readonly signal: AbortSignal
  readonly count?: number
}

/** The value of a record that is about that key; a record that is not, or is none, counts as none. */
function valueOf(record: Uint8Array, key: Uint8Array): Uint8Array | undefined {
  try {
    const { key: about, value } = Libp2pRecord.deserialize(record)
    return Buffer.compare(about, key) === 0 ? value : undefined
  } catch {
    return undefined
  }
}
