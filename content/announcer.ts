import type { CID } from 'multiformats/cid'
import { errorMessage } from '#contracts'
import type { Clock, Logger, Random } from '#contracts'
import { orAbort } from './abort.ts'
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
  routing: Pick<ContentRouting, 'provide' | 'forget'>
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
}

/**
 * Tells the DHT which roots are here: at once, again after every interval, and soon again when it failed.
 * Everything given before the start is announced at the start, so that a restarted node is found again.
 */
export class Announcer implements AsyncDisposable {
  readonly #components: AnnouncerComponents
  readonly #entries = new Map<string, Entry>()
  readonly #stopping = new AbortController()
  readonly #running = new Set<Promise<void>>()
  #timer: Disposable | undefined

  constructor(components: AnnouncerComponents) {
    this.#components = components
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
    if (entry === undefined) return
    const { routing, logger } = this.#components
    routing.forget?.(cid, { signal: this.#stopping.signal }).catch((thrown: unknown) => {
      logger.warn('could not withdraw an announcement', { cid: key, reason: errorMessage(thrown) })
    })
    entry.attempt.reject(new ContentError('ERR_PIN_NOT_FOUND', `${key} is not announced any more`))
  }

  /** Tries everything that failed again at once: the node has just met a peer, say. */
  hurry(): void {
    const nowMs = this.#components.clock.monotonicMs()
    for (const entry of this.#entries.values()) if (entry.failures > 0) entry.dueMs = nowMs
    this.#turn()
  }

  counts(): AnnouncementCounts {
    let announced = 0
    for (const entry of this.#entries.values()) if (entry.announced) announced++
    return { announced, waiting: this.#entries.size - announced }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#timer?.[Symbol.dispose]()
    this.#stopping.abort(new ContentError('ERR_CONTENT_CLOSED', 'the node is stopping'))
    await Promise.all(this.#running)
    for (const { attempt } of this.#entries.values()) attempt.reject(this.#stopping.signal.reason)
  }

  #newEntry(cid: CID): Entry {
    return { cid, dueMs: 0, failures: 0, announced: false, attempt: newAttempt(), isRunning: false }
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
      await this.#provide(entry.cid)
      entry.failures = 0
      entry.announced = true
      entry.dueMs = clock.monotonicMs() + REPROVIDE_INTERVAL_MS * (1 - REPROVIDE_JITTER_RATIO * random.unit())
      attempt.resolve(undefined)
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

  async #provide(cid: CID): Promise<void> {
    if (this.#components.isDenied(cid)) {
      throw new ContentError('ERR_CONTENT_DENIED', `${cid.toString()} is on the deny list`)
    }
    const deadline = new AbortController()
    using _timer = this.#components.clock.after(PROVIDE_TIMEOUT_MS, () => {
      deadline.abort(
        new ContentError('ERR_CONTENT_STALLED', `no peer took the record in ${PROVIDE_TIMEOUT_MS} ms`)
      )
    })
    const signal = AbortSignal.any([deadline.signal, this.#stopping.signal])
    await orAbort(this.#components.routing.provide(cid, { signal, transient: true }), signal)
  }
}

/** Nobody may be waiting for an attempt; its failure is logged, not unhandled. */
function newAttempt(): PromiseWithResolvers<undefined> {
  const attempt = Promise.withResolvers<undefined>()
  attempt.promise.catch(() => undefined)
  return attempt
}
