import type { Clock, Random } from '#contracts'
import { JITTER_SHARE } from './constants.ts'

/** A wait that can be cut short from outside. */
export interface Pause {
  /**
   * Resolves after `durationMs`, or when {@link cut} is called, or at once when it was called since the last wait.
   *
   * @throws the reason of `signal` when that aborts first
   */
  wait(durationMs: number, signal: AbortSignal): Promise<void>
  /** Ends the wait that is on, or the next one. */
  cut(): void
}

/** A pause for one loop; it is not shared. */
export function createPause(clock: Pick<Clock, 'after'>): Pause {
  let isCut = false
  let wake: () => void = () => undefined
  return {
    cut: () => {
      isCut = true
      wake()
    },
    wait: async (durationMs, signal) => {
      signal.throwIfAborted()
      if (!isCut) {
        const { promise, resolve } = Promise.withResolvers<void>()
        wake = resolve
        using _timer = clock.after(durationMs, resolve)
        signal.addEventListener('abort', wake, { once: true })
        await promise
        signal.removeEventListener('abort', wake)
      }
      isCut = false
      signal.throwIfAborted()
    }
  }
}

/** `durationMs`, up to a fifth longer or shorter. */
export function jittered(durationMs: number, random: Pick<Random, 'unit'>): number {
  return Math.round(durationMs * (1 + JITTER_SHARE * (2 * random.unit() - 1)))
}

/** The n-th of a list of waits; the last one when there are fewer. */
export function nthWait(waitsMs: readonly number[], n: number): number {
  return waitsMs[Math.min(n, waitsMs.length - 1)] ?? 0
}
