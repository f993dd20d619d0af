import { randomFillSync } from 'node:crypto'
import { setTimeout as sleepTimer } from 'node:timers/promises'
import type { Clock } from './clock.ts'
import type { Random } from './random.ts'

/** The operating system's clock. */
export const systemClock: Clock = {
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  sleep: async (durationMs, signal) => {
    try {
      await sleepTimer(durationMs, undefined, signal === undefined ? {} : { signal })
    } catch (thrown) {
      // Node rejects with an AbortError of its own; the reason is what the caller knows.
      signal?.throwIfAborted()
      throw thrown
    }
  },
  after: (durationMs, task) => {
    const timer = setTimeout(task, durationMs)
    timer.unref()
    return { [Symbol.dispose]: () => clearTimeout(timer) }
  },
  every: (periodMs, task) => {
    const timer = setInterval(task, periodMs)
    timer.unref()
    return { [Symbol.dispose]: () => clearInterval(timer) }
  }
}

/** The operating system's random source. */
export const systemRandom: Random = {
  bytes: (length) => randomFillSync(new Uint8Array(length)),
  unit: () => Math.random()
}
