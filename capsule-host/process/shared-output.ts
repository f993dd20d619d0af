import type { Clock } from '#contracts'
import {
  SHARED_BYTES_PER_SECOND_MAX,
  SHARED_BYTES_PER_SECOND_MIN,
  SHARED_FRAME_BYTES,
  SHARED_LATE_MS_MAX,
  SHARED_PROBE_MS
} from '../constants.ts'
import { Rate } from './rate.ts'

/**
 * What all capsules of a node together may hand over: as much as it can take beside its other work. While frames come, a
 * timer shows how late this process is; each time it is too late the rate is halved, each time it is not it grows again.
 */
export class SharedOutput {
  readonly #clock: Clock
  readonly #rate: Rate
  // Not the most at once: how much is too much shows only after a while.
  #bytesPerSecond = SHARED_BYTES_PER_SECOND_MAX / 8
  #isProbing = false

  constructor(clock: Clock) {
    this.#clock = clock
    this.#rate = new Rate(clock, this.#bytesPerSecond)
  }

  /** Bytes a second that are taken now. */
  get bytesPerSecond(): number {
    return this.#bytesPerSecond
  }

  /**
   * Takes a frame of so many bytes and resolves when it may pass.
   *
   * @throws the reason of `signal` when it aborts first
   */
  async take(bytes: number, signal: AbortSignal): Promise<void> {
    this.#probe()
    await this.#rate.take(bytes + SHARED_FRAME_BYTES, signal)
  }

  #probe(): void {
    if (this.#isProbing) return
    this.#isProbing = true
    const dueMs = this.#clock.monotonicMs() + SHARED_PROBE_MS
    this.#clock.after(SHARED_PROBE_MS, () => {
      this.#isProbing = false
      const isLate = this.#clock.monotonicMs() - dueMs > SHARED_LATE_MS_MAX
      const step = SHARED_BYTES_PER_SECOND_MAX / 32
      this.#bytesPerSecond = isLate
        ? Math.max(SHARED_BYTES_PER_SECOND_MIN, this.#bytesPerSecond / 2)
        : Math.min(SHARED_BYTES_PER_SECOND_MAX, this.#bytesPerSecond + step)
      this.#rate.change(this.#bytesPerSecond)
    })
  }
}
