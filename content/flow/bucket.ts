import type { Clock } from '#contracts'

/** How fast a {@link Bucket} fills and how much it holds. */
export interface BucketInit {
  readonly perSecond: number
  readonly burstMs: number
}

/**
 * A token bucket that may be overdrawn: whatever is taken is taken whole as soon as anything is there, and the debt
 * is waited for afterwards. So one large piece needs no larger bucket.
 */
export class Bucket {
  readonly #clock: Pick<Clock, 'monotonicMs'>
  readonly #perMs: number
  readonly #levelMax: number
  #level: number
  #filledAtMs: number

  constructor(clock: Pick<Clock, 'monotonicMs'>, { perSecond, burstMs }: BucketInit) {
    this.#clock = clock
    this.#perMs = perSecond / 1_000
    this.#levelMax = this.#perMs * burstMs
    this.#level = this.#levelMax
    this.#filledAtMs = clock.monotonicMs()
  }

  /** Takes; a negative amount gives back. */
  take(amount: number): void {
    this.#fill()
    this.#level = Math.min(this.#levelMax, this.#level - amount)
  }

  /** Milliseconds until something is there, 0 when it is. */
  readyInMs(): number {
    this.#fill()
    return this.#level > 0 ? 0 : Math.max(1, -this.#level / this.#perMs)
  }

  #fill(): void {
    const nowMs = this.#clock.monotonicMs()
    this.#level = Math.min(this.#levelMax, this.#level + (nowMs - this.#filledAtMs) * this.#perMs)
    this.#filledAtMs = nowMs
  }
}
