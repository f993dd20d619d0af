import type { CID } from 'multiformats/cid'
import { errorMessage, orAborted } from '#contracts'
import type { Clock, Logger, Random } from '#contracts'
import {
  PROVIDE_TIMEOUT_MS,
  REPROVIDE_INTERVAL_MS,
  REPROVIDE_JITTER_RATIO,
  REPROVIDE_PARALLEL,
  REPROVIDE_RETRY_MS
} from './constants.ts'
import { ContentError } from './errors.ts'
import type { ContentRouting } from './exchange.ts'

/** What roots are announced with. */
export interface AnnouncerComponents {
  routing: Pick<ContentRouting, 'provide' | 'forget' | 'keepOnly'>
  isDenied(cid: CID): boolean
  clock: Clock
  random: Random
  logger: Logger
}

/** How many roots the network knows us for. */
export interface AnnouncementCounts {
  /** Roots that some peer took our record of, in the last interval. */
  readonly announced: number
  /** Roots that still wait, or whose last attempt failed. */
  readonly waiting: number
}

interface Entry {
  readonly cid: CID
  dueMs: number
  failures: number
  announced: boolean
  /** The attempt under way, or the next one. */
  attempt: PromiseWithResolvers<undefined>
  isRunning: boolean
  /** Ends the attempt under way when the root is not to be announced any more. */
  readonly leaving: AbortController
  /** Resolves when the routing has nothing more to do with the last attempt. */
  settled: Promise<undefined>
}

/**
 * Tells the DHT which roots are here: at once, and soon again when it failed. Again after every interval too, unless the
 * routing does that by itself: then only what it does not know yet is announced when a node starts again.
 */
export class Announcer implements AsyncDisposable {
  readonly #components: AnnouncerComponents
  readonly #entries = new Map<string, Entry>()
  readonly #stopping = new AbortController()
  readonly #running = new Set<Promise<void>>()
  /** Resolves when the routing has been told which roots there were at the start: it would undo what comes before that. */
  #listed: Promise<void> = Promise.resolve()
  #timer: Disposable | undefined

  constructor(components: AnnouncerComponents) {
    this.#components = components
  }

  /** Announces all that is public when the node starts; each failure is logged. */
  start(cids: readonly CID[]): void {
    const { routing, isDenied, logger } = this.#components
    const allowed = cids.filter((cid) => !isDenied(cid))
    if (routing.keepOnly === undefined) {
      for (const cid of allowed) void this.add(cid).catch(() => undefined)
      return
    }
    const work = routing.keepOnly(allowed, { signal: this.#stopping.signal }).then(
      () => undefined,
      (thrown: unknown) => {
        if (!this.#stopping.signal.aborted)
          logger.warn('not all roots are announced again', { reason: errorMessage(thrown) })
      }
    )
    this.#listed = work
    this.#running.add(work)
    void work.finally(() => this.#running.delete(work))
  }

  /**
   * Announces `cid` from now on. Resolves when a peer took the record.
   *
   * @throws what the first attempt threw; further attempts follow by themselves
   */
  async add(cid: CID): Promise<void> {
    const key = cid.toV1().toString()
    const entry = this.#entries.get(key) ?? this.#newEntry(cid)
    this.#entries.set(key, entry)
    if (!entry.isRunning) entry.dueMs = this.#components.clock.monotonicMs()
    const attempt = entry.attempt.promise
    this.#turn()
    await attempt
  }

  /** Stops announcing `cid`; records that others hold expire by themselves. */
  remove(cid: CID): void {
    const key = cid.toV1().toString()
    const entry = this.#entries.get(key)
    this.#entries.delete(key)
    if (entry === undefined && !this.#isHandedOver()) return
    const left = new ContentError('ERR_PIN_NOT_FOUND', `${key} is not announced any more`)
    entry?.leaving.abort(left)
    entry?.attempt.reject(left)
    // an attempt that fails has itself noted by the routing for later: only what comes after it counts
    void (entry?.settled ?? Promise.resolve()).then(async () => await this.#forget(cid))
  }

  async #forget(cid: CID): Promise<void> {
    const { routing, logger } = this.#components
    await this.#listed
    // it may have been made public again meanwhile
    if (this.#entries.has(cid.toV1().toString())) return
    try {
      await routing.forget?.(cid, { signal: this.#stopping.signal })
    } catch (thrown) {
      logger.warn('could not withdraw an announcement', { cid: cid.toString(), reason: errorMessage(thrown) })
    }
  }

  /** Tries everything that failed again at once: the node has just met a peer, say. */
  hurry(): void {
    const nowMs = this.#components.clock.monotonicMs()
    for (const entry of this.#entries.values()) if (entry.failures > 0) entry.dueMs = nowMs
    this.#turn()
  }

  /** @param roots - how many public roots there are */
  counts(roots = 0): AnnouncementCounts {
    let announced = 0
    for (const entry of this.#entries.values()) if (entry.announced) announced++
    const waiting = this.#entries.size - announced
    // what is not here is announced again by the routing
    return this.#isHandedOver() ? { announced: roots - waiting, waiting } : { announced, waiting }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#timer?.[Symbol.dispose]()
    this.#stopping.abort(new ContentError('ERR_CONTENT_CLOSED', 'the node is stopping'))
    await Promise.all(this.#running)
    for (const { attempt } of this.#entries.values()) attempt.reject(this.#stopping.signal.reason)
  }

  #newEntry(cid: CID): Entry {
    const state = { dueMs: 0, failures: 0, announced: false, isRunning: false }
    return {
      cid,
      ...state,
      attempt: newAttempt(),
      leaving: new AbortController(),
      settled: Promise.resolve(undefined)
    }
  }

  /** Starts what is due, as many as may run, and sets the timer for what is due next. */
  #turn(): void {
    this.#timer?.[Symbol.dispose]()
    if (this.#stopping.signal.aborted) return
    const nowMs = this.#components.clock.monotonicMs()
    let nextMs = Infinity
    for (const entry of this.#entries.values()) {
      if (entry.isRunning) continue
      if (entry.dueMs > nowMs) nextMs = Math.min(nextMs, entry.dueMs)
      else if (this.#running.size < REPROVIDE_PARALLEL) this.#start(entry)
      else return
    }
    if (nextMs === Infinity) return
    this.#timer = this.#components.clock.after(nextMs - nowMs, () => this.#turn())
  }

  #start(entry: Entry): void {
    entry.isRunning = true
    const work: Promise<void> = this.#attempt(entry).finally(() => {
      this.#running.delete(work)
      this.#turn()
    })
    this.#running.add(work)
  }

  async #attempt(entry: Entry): Promise<void> {
    const { clock, random, logger } = this.#components
    const { attempt } = entry
    entry.attempt = newAttempt()
    try {
      await orAborted(this.#listed, entry.leaving.signal)
      await this.#provide(entry)
      entry.failures = 0
      entry.announced = true
      entry.dueMs = clock.monotonicMs() + REPROVIDE_INTERVAL_MS * (1 - REPROVIDE_JITTER_RATIO * random.unit())
      attempt.resolve(undefined)
      if (this.#isHandedOver() && !entry.leaving.signal.aborted)
        this.#entries.delete(entry.cid.toV1().toString())
    } catch (thrown) {
      const waitMs = Math.min(REPROVIDE_RETRY_MS.first * 2 ** entry.failures, REPROVIDE_RETRY_MS.max)
      entry.failures++
      entry.announced = false
      entry.dueMs = clock.monotonicMs() + waitMs * (1 + REPROVIDE_JITTER_RATIO * random.unit())
      logger.debug('could not announce', { cid: entry.cid.toString(), reason: errorMessage(thrown), waitMs })
      attempt.reject(thrown)
    } finally {
      entry.isRunning = false
    }
  }

  /** Whether the routing announces again by itself what it was once told. */
  #isHandedOver(): boolean {
    return this.#components.routing.keepOnly !== undefined
  }

  async #provide(entry: Entry): Promise<void> {
    const { cid } = entry
    if (this.#components.isDenied(cid)) {
      throw new ContentError('ERR_CONTENT_DENIED', `${cid.toString()} is on the deny list`)
    }
    const deadline = new AbortController()
    using _timer = this.#components.clock.after(PROVIDE_TIMEOUT_MS, () => {
      deadline.abort(
        new ContentError('ERR_CONTENT_STALLED', `no peer took the record in ${PROVIDE_TIMEOUT_MS} ms`)
      )
    })
    const signal = AbortSignal.any([deadline.signal, this.#stopping.signal, entry.leaving.signal])
    const { routing } = this.#components
    const providing = routing.provide(cid, this.#isHandedOver() ? { signal } : { signal, transient: true })
    entry.settled = providing.then<undefined, undefined>(
      () => undefined,
      () => undefined
    )
    await orAborted(providing, signal)
  }
}

/** Nobody may be waiting for an attempt; its failure is logged, not unhandled. */
function newAttempt(): PromiseWithResolvers<undefined> {
  const attempt = Promise.withResolvers<undefined>()
  attempt.promise.catch(() => undefined)
  return attempt
}
