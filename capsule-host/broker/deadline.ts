import type { Clock } from '#contracts'

/** A signal that aborts with `why` after `durationMs`, or with `signal`; disposing it ends the wait. */
export function deadline(
  clock: Pick<Clock, 'after'>,
  { durationMs, why, signal }: { durationMs: number; why: Error; signal: AbortSignal }
): Disposable & { readonly signal: AbortSignal } {
  const controller = new AbortController()
  const timer = clock.after(durationMs, () => controller.abort(why))
  return {
    signal: AbortSignal.any([signal, controller.signal]),
    [Symbol.dispose]: () => timer[Symbol.dispose]()
  }
}
