import type { Clock } from '#contracts'
import type { BitswapLimits } from './limits.ts'

/** What a peer did that no honest one does. */
export type MisbehaviourReason =
  /** It sent a block that was not asked of it: a wrong block looks like this, for blocks travel without a name. */
  | 'unwanted-block'
  /** It sent a block under a hash function that we never ask for. */
  | 'unknown-hash'
  /** It sent bytes that are no bitswap message. */
  | 'malformed-message'
  /** It sent more unfinished messages than we hold for one peer. */
  | 'too-many-bytes'

/** One thing a peer did that no honest one does. */
export interface Misbehaviour {
  readonly peerId: string
  readonly reason: MisbehaviourReason
  /** How often this peer misbehaved until now, this time included. */
  readonly strikes: number
  /** True when this was once too often: the peer is disconnected and left alone for a while. */
  readonly disconnected: boolean
}

/** The limits that a {@link Conduct} observes. */
export type ConductLimits = Pick<
  BitswapLimits,
  'strikesMax' | 'strikesKeptMs' | 'backoffMs' | 'conductPeersMax'
>

interface ConductRecord {
  strikes: number
  lastMs: number
  untilMs: number
}

/** Remembers who misbehaved; the oldest records go first when there are too many. */
export class Conduct {
  readonly #clock: Clock
  readonly #limits: ConductLimits
  readonly #records = new Map<string, ConductRecord>()

  constructor(clock: Clock, limits: ConductLimits) {
    this.#clock = clock
    this.#limits = limits
  }

  /** Notes a misbehaviour and says what follows from it. */
  strike(peerId: string, reason: MisbehaviourReason): Misbehaviour {
    const nowMs = this.#clock.monotonicMs()
    const record = this.#records.get(peerId) ?? { strikes: 0, lastMs: nowMs, untilMs: 0 }
    record.strikes = nowMs - record.lastMs > this.#limits.strikesKeptMs ? 1 : record.strikes + 1
    record.lastMs = nowMs
    const disconnected = record.strikes >= this.#limits.strikesMax
    if (disconnected) record.untilMs = nowMs + this.#limits.backoffMs
    this.#records.delete(peerId)
    this.#records.set(peerId, record)
    const oldest = this.#records.keys().next()
    if (this.#records.size > this.#limits.conductPeersMax && oldest.done !== true)
      this.#records.delete(oldest.value)
    return { peerId, reason, strikes: record.strikes, disconnected }
  }

  /** True while this peer is to be left alone. Soon afterwards one more misbehaviour is enough. */
  isShunned(peerId: string): boolean {
    return (this.#records.get(peerId)?.untilMs ?? 0) > this.#clock.monotonicMs()
  }
}
