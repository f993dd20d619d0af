import type { Clock } from '#contracts'
import { DhtError } from '../errors.ts'
import {
  QUERY_DURATION_MAX_MS,
  QUERY_PARALLEL,
  QUERY_PARALLEL_THOROUGH,
  SLOW_ANSWER_MS,
  SLOW_CHECK_INTERVAL_MS
} from './constants.ts'
import type { KadMessage } from './messages.ts'
import type { BookPeer, PeerBook } from './peer-book.ts'
import { Search } from './search.ts'
import type { Candidate, SearchInit } from './search.ts'
import type { QueryTable, QueryTransport } from './transport.ts'

/** What queries run on. */
export interface QueryComponents {
  readonly book: PeerBook
  readonly transport: QueryTransport
  readonly table: QueryTable
  readonly clock: Clock
}

/** One query. */
export interface QueryInit extends Pick<SearchInit, 'target' | 'count' | 'goal' | 'own'> {
  /** What every peer is asked. */
  readonly message: KadMessage
  readonly signal: AbortSignal
  /** Told of each answer as it comes. */
  readonly onAnswer?: (peer: BookPeer, answer: KadMessage) => void
}

/**
 * Asks peers nearer and nearer to a target until the search has enough, nobody is left to ask, or its time is up.
 *
 * @throws the reason of `signal`
 */
export async function runQuery(components: QueryComponents, init: QueryInit): Promise<Search> {
  init.signal.throwIfAborted()
  const run = new QueryRun(components, init)
  return await run.search()
}

/** Why what is still under way ends; made once, for a new error of its kind for each query costs more than asking a peer. */
const OVER = new DhtError('ERR_REQUEST_FAILED', 'expected no more answers: the query is over')

class QueryRun {
  readonly #components: QueryComponents
  readonly #init: QueryInit
  readonly #search: Search
  readonly #done = Promise.withResolvers<Search>()
  /** Ends what is still under way when the query has enough. */
  readonly #ending = new AbortController()
  readonly #askedAtMs = new Map<Candidate, number>()
  readonly #startedAtMs: number
  #isDone = false

  constructor(components: QueryComponents, init: QueryInit) {
    this.#components = components
    this.#init = init
    const { table, transport, clock } = components
    this.#startedAtMs = clock.monotonicMs()
    this.#search = new Search({
      ...init,
      starting: table.nearest(init.target, init.count),
      isConnected: (peer) => transport.isConnected(peer)
    })
  }

  async search(): Promise<Search> {
    const { signal } = this.#init
    const onAbort = (): void => {
      this.#done.reject(signal.reason)
    }
    signal.addEventListener('abort', onAbort, { once: true })
    const slowCheck = this.#components.clock.every(SLOW_CHECK_INTERVAL_MS, () => this.#check())
    try {
      this.#pump()
      return await this.#done.promise
    } finally {
      this.#isDone = true
      slowCheck[Symbol.dispose]()
      signal.removeEventListener('abort', onAbort)
      this.#ending.abort(OVER)
    }
  }

  /** Asks whom there is to ask after a question at that depth, and ends the query when that is nobody. */
  #pump(depth = 0): void {
    if (this.#isDone) return
    const search = this.#search
    if (!search.isEnough()) {
      while (search.inFlight < (search.isThorough ? QUERY_PARALLEL_THOROUGH : QUERY_PARALLEL)) {
        const candidate = search.next(depth)
        if (candidate === undefined) break
        void this.#ask(candidate)
      }
      // slow peers are waited for when there is nobody else
      if (this.#askedAtMs.size > 0) return
    }
    this.#finish()
  }

  async #ask(candidate: Candidate): Promise<void> {
    const { transport, table, book, clock } = this.#components
    const { message, onAnswer } = this.#init
    this.#askedAtMs.set(candidate, clock.monotonicMs())
    try {
      const answer = await transport.request(candidate.peer, message, this.#ending.signal)
      if (this.#isDone) return
      table.offer(candidate.peer)
      const named = (answer.closer ?? []).map((peer) => book.named(peer))
      this.#search.answered(candidate, named, (answer.providers?.length ?? 0) > 0)
      onAnswer?.(candidate.peer, answer)
    } catch {
      if (!this.#isDone) this.#search.failed(candidate)
    }
    this.#askedAtMs.delete(candidate)
    this.#pump(candidate.depth)
  }

  #check(): void {
    const nowMs = this.#components.clock.monotonicMs()
    if (nowMs - this.#startedAtMs >= QUERY_DURATION_MAX_MS) {
      this.#finish()
      return
    }
    let depth = 0
    for (const [candidate, askedAtMs] of this.#askedAtMs) {
      if (candidate.state !== 'asked' || nowMs - askedAtMs < SLOW_ANSWER_MS) continue
      this.#search.slow(candidate)
      depth = Math.max(depth, candidate.depth)
    }
    this.#pump(depth)
  }

  #finish(): void {
    this.#isDone = true
    this.#done.resolve(this.#search)
  }
}
