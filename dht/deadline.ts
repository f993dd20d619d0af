import type { Clock } from '#contracts'
import { DhtError } from './errors.ts'

/** A signal that aborts with the caller's, or by itself after a while. Disposing it ends its timer. */
export interface Deadline extends Disposable {
  readonly signal: AbortSignal
  /** Aborts after `durationMs` from now, if that is earlier than what was set before. */
  shorten(durationMs: number): void
  /** Whether it was the time, not the caller, that aborted. */
  expired(): boolean
}

/**
 * Starts a deadline of `durationMs` under `signal`. It aborts with a DhtError `ERR_DHT_TIMEOUT` of its own, or with
 * the reason of `signal`.
 */
export function startDeadline(clock: Clock, durationMs: number, signal?: AbortSignal): Deadline {
  const controller = new AbortController()
  const timers = new DisposableStack()
  const shorten = (afterMs: number): void => {
    const expire = (): void => {
      controller.abort(
        new DhtError('ERR_DHT_TIMEOUT', `expected an answer of the network within ${afterMs} ms`)
      )
    }
    timers.use(clock.after(afterMs, expire))
  }
  shorten(durationMs)
  return {
    signal: signal === undefined ? controller.signal : AbortSignal.any([signal, controller.signal]),
    shorten,
    expired: () => controller.signal.aborted && signal?.aborted !== true,
    [Symbol.dispose]: () => timers.dispose()
  }
}
