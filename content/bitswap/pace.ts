/** How much of one more measurement counts, for the mean and for the deviation (as TCP does, RFC 6298). */
const MEAN_SHARE = 1 / 8
const DEVIATION_SHARE = 1 / 4

/** How long is too long, when nothing was measured and at the least and most. */
export interface PaceLimits {
  readonly hedgeFirstMs: number
  readonly hedgeMinMs: number
  readonly hedgeAfterMs: number
}

/** What a session learns of how long a block takes from being asked for to coming, whoever brings it. */
export class Pace {
  readonly #limits: PaceLimits
  #meanMs: number | undefined
  #deviationMs = 0

  constructor(limits: PaceLimits) {
    this.#limits = limits
  }

  /** Notes how long a block took. */
  note(durationMs: number): void {
    if (this.#meanMs === undefined) {
      this.#meanMs = durationMs
      this.#deviationMs = durationMs / 2
      return
    }
    const error = durationMs - this.#meanMs
    this.#meanMs += error * MEAN_SHARE
    this.#deviationMs += (Math.abs(error) - this.#deviationMs) * DEVIATION_SHARE
  }

  /** A block that was asked for longer ago than this will hardly come from there. */
  get patienceMs(): number {
    const { hedgeFirstMs, hedgeMinMs, hedgeAfterMs } = this.#limits
    if (this.#meanMs === undefined) return Math.min(hedgeFirstMs, hedgeAfterMs)
    return Math.min(hedgeAfterMs, Math.max(hedgeMinMs, this.#meanMs + 4 * this.#deviationMs))
  }
}
