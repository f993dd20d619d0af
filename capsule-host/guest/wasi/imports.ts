import { WasiError } from './errno.ts'
import type { SuspendingWasiCall, WasiCall, WasiHost } from './host.ts'
import { pollCall } from './poll.ts'
import { processCalls } from './process-calls.ts'
import { refusedCalls } from './refused-calls.ts'
import type { WasiName } from './signatures.ts'
import { readCall, streamCalls } from './stream-calls.ts'

/** Functions of WASI preview 1, by whether they may suspend the program. */
export interface WasiCalls {
  readonly immediate: Readonly<Record<Exclude<WasiName, 'fd_read' | 'poll_oneoff'>, WasiCall>>
  readonly suspending: Readonly<Record<'fd_read' | 'poll_oneoff', SuspendingWasiCall>>
}

/**
 * All of WASI preview 1 for a program with nothing but its streams. Only the two calls that can wait suspend:
 * a suspending import always suspends, even when it has its answer.
 */
export function createWasiCalls(host: WasiHost): WasiCalls {
  return {
    immediate: { ...processCalls(host), ...streamCalls(host), ...refusedCalls(host.descriptors) },
    suspending: { fd_read: readCall(host), poll_oneoff: pollCall(host) }
  }
}

/** Runs `call` and answers with the error number of a {@link WasiError} it throws. */
export function answer(call: WasiCall): WasiCall {
  return (...values) => {
    try {
      return call(...values)
    } catch (thrown) {
      return errnoOf(thrown)
    }
  }
}

/** {@link answer} for a call that may suspend. */
export function answerLater(call: SuspendingWasiCall): SuspendingWasiCall {
  return async (...values) => {
    try {
      return await call(...values)
    } catch (thrown) {
      return errnoOf(thrown)
    }
  }
}

function errnoOf(thrown: unknown): number {
  if (thrown instanceof WasiError) return thrown.errno
  throw thrown
}
