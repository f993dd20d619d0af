import type { Clock } from '#contracts'

/** `promise`, unless `signal` aborts first; then its reason. What is left of the promise is let go. */
export async function abortable<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  if (signal.aborted) void promise.catch(() => undefined)
  signal.throwIfAborted()
  const aborted = Promise.withResolvers<never>()
  const abort = (): void => aborted.reject(signal.reason)
  signal.addEventListener('abort', abort, { once: true })
  try {
    return await Promise.race([promise, aborted.promise])
  } finally {
    signal.removeEventListener('abort', abort)
  }
}

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
