import type { Clock } from '#contracts'

/** A wait that ends early when what was waited for has happened. One at a time. */
export class Pause {
  readonly #clock: Clock
  #check: (() => void) | undefined

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Resolves after `durationMs`, or as soon as `isOver` says so when {@link changed} is called. */
  async wait(durationMs: number, isOver: () => boolean): Promise<void> {
    if (isOver()) return
    const { promise, resolve } = Promise.withResolvers<void>()
    using _timer = this.#clock.after(durationMs, resolve)
    this.#check = () => {
      if (isOver()) resolve()
    }
    await promise
    this.#check = undefined
  }

  /** Something changed that a wait may be about. */
  changed(): void {
    this.#check?.()
  }
}
