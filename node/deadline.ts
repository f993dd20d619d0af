import type { Clock } from '#contracts'
import { NodeError } from './errors.ts'

/** A signal that aborts when nothing has happened for a while, or when its parent aborts. */
export interface Deadline extends Disposable {
  readonly signal: AbortSignal
  /** Something happened: begins to wait anew. */
  extend(): void
}

/** What a deadline watches. */
export interface DeadlineInit {
  readonly clock: Pick<Clock, 'after'>
  readonly signal: AbortSignal
  readonly idleMs: number
  /** What did not happen, for the message: `nothing arrived`. */
  readonly what: string
}

/** Creates a deadline; its reason is a NodeError `ERR_DEADLINE`. */
export function createDeadline({ clock, signal, idleMs, what }: DeadlineInit): Deadline {
  const controller = new AbortController()
  const expire = (): void => {
    controller.abort(new NodeError('ERR_DEADLINE', `${what} for ${Math.ceil(idleMs / 1000)} s`))
  }
  let timer = clock.after(idleMs, expire)
  return {
    signal: AbortSignal.any([signal, controller.signal]),
    extend: () => {
      timer[Symbol.dispose]()
      timer = clock.after(idleMs, expire)
    },
    [Symbol.dispose]: () => timer[Symbol.dispose]()
  }
}
