import { orAborted, type Clock } from '#contracts'
import { RoomError } from './errors.ts'

/** A signal that aborts after a time, or with its parent. Disposing it lets go of both. */
export interface Deadline extends Disposable {
  readonly signal: AbortSignal
}

/** Starts a deadline of `durationMs` by `clock`; it aborts with `ERR_ROOM_TIMEOUT`, or as `parent` does. */
export function startDeadline(
  clock: Pick<Clock, 'after'>,
  durationMs: number,
  parent: AbortSignal
): Deadline {
  const controller = new AbortController()
  const follow = (): void => controller.abort(parent.reason)
  if (parent.aborted) follow()
  parent.addEventListener('abort', follow, { once: true })
  const timer = clock.after(durationMs, () => {
    controller.abort(new RoomError('ERR_ROOM_TIMEOUT', `expected an answer within ${durationMs} ms`))
  })
  return {
    signal: controller.signal,
    [Symbol.dispose]: () => {
      timer[Symbol.dispose]()
      parent.removeEventListener('abort', follow)
    }
  }
}

/** The items of `source` until `signal` aborts, which ends the sequence by throwing its reason. */
export async function* untilAborted<T>(source: AsyncIterable<T>, signal: AbortSignal): AsyncGenerator<T> {
  const iterator = source[Symbol.asyncIterator]()
  try {
    for (;;) {
      const next = await orAborted(iterator.next(), signal)
      if (next.done === true) return
      yield next.value
    }
  } finally {
    // Not awaited: a source that does not listen would hold up whoever stops listening to it.
    iterator.return?.().catch(() => undefined)
  }
}
