import type { Clock } from '#contracts'

/**
 * A token bucket: amounts pass at once until `perSecondMax` were taken within a second, then at that rate.
 */
export class Rate {
  readonly #clock: Clock
  #perSecondMax: number
  #available: number
  #countedAtMs: number
  #heldSinceMs: number | undefined

  constructor(clock: Clock, perSecondMax: number) {
    this.#clock = clock
    this.#perSecondMax = perSecondMax
    this.#available = perSecondMax
    this.#countedAtMs = clock.monotonicMs()
  }

  /** For how long every amount had to wait; 0 when the last one did not. */
  get heldMs(): number {
    return this.#heldSinceMs === undefined ? 0 : this.#clock.monotonicMs() - this.#heldSinceMs
  }

  /**
   * Takes `amount` and resolves when it may pass.
   *
   * @throws the reason of `signal` when it aborts first
   */
  async take(amount: number, signal: AbortSignal): Promise<void> {
    const nowMs = this.#earn()
    this.#available -= amount
    if (this.#available >= 0) {
      this.#heldSinceMs = undefined
      return
    }
    this.#heldSinceMs ??= nowMs
    await this.#clock.sleep((-this.#available / this.#perSecondMax) * 1000, signal)
  }

  /** From now on `perSecondMax` may pass in a second. Who waits already waits as it was told. */
  change(perSecondMax: number): void {
    this.#earn()
    this.#perSecondMax = perSecondMax
    this.#available = Math.min(this.#available, perSecondMax)
  }

  #earn(): number {
    const nowMs = this.#clock.monotonicMs()
    const earned = ((nowMs - this.#countedAtMs) / 1000) * this.#perSecondMax
    this.#available = Math.min(this.#perSecondMax, this.#available + earned)
    this.#countedAtMs = nowMs
    return nowMs
  }
}
