import { CapsuleError } from '../errors.ts'
import type { FailureMessage } from '../guest/frames.ts'
import type { CapsuleLimits } from '../limits.ts'
import type { SpawnEnd } from '../powers.ts'
import { printable, printableLines } from '../text.ts'

/** How a run ended: with the program's own exit code, or ended by an error. */
export type CapsuleOutcome =
  | { readonly kind: 'exit'; readonly exitCode: number }
  | { readonly kind: 'error'; readonly error: CapsuleError }

/** Exit codes by which a parent tells that a signal ended its child: 128 and the signal's number. */
const SIGNAL_EXIT = { SIGXCPU: 128 + 24, SIGKILL: 128 + 9 } as const
/** What the engine says when it is out of memory. */
const OUT_OF_MEMORY = /out of memory|allocation failed|cannot allocate|bad_alloc/i
const MESSAGE_LENGTH_MAX = 200
const LOG_LINES_MAX = 8

/** A replay that was as its trace, to where that ends, and then went on. */
export class TraceEndedError extends CapsuleError {}

/** A process that ended before it had handed over all that it had to say, as one that is out of memory does. */
export class UnsaidError extends CapsuleError {}

/** What the process itself is known to have done when it ended without a last frame. */
export interface SilentEnd {
  readonly end: SpawnEnd
  /** Whether it ever said that it is up. */
  readonly wasReady: boolean
  /** The end of what it said on standard error. */
  readonly log: string
}

/** The error of a process that ended without saying how its program ended. */
export function silentEndError({ end, wasReady, log }: SilentEnd, limits: CapsuleLimits): CapsuleError {
  const lines = printableLines(log, LOG_LINES_MAX)
  if (!wasReady || end.failure !== undefined) {
    return new CapsuleError('ERR_SANDBOX_UNAVAILABLE', 'expected the sandbox to start, but it ended', {
      cause: end.failure,
      detail: lines
    })
  }
  if (end.signal === 'SIGXCPU' || end.code === SIGNAL_EXIT.SIGXCPU) return cpuLimitError(limits)
  if (OUT_OF_MEMORY.test(log)) {
    return new UnsaidError('ERR_CAPSULE_MEMORY_LIMIT', 'the capsule ran out of the memory it may have')
  }
  const wasKilled = end.signal === 'SIGKILL' || end.code === SIGNAL_EXIT.SIGKILL
  const how = wasKilled
    ? 'was killed by the operating system'
    : `ended with ${end.signal ?? `code ${end.code}`}`
  return new CapsuleError('ERR_CAPSULE_CRASHED', `the capsule's process ${how}`, { detail: lines })
}

/** The error of a program that said how it failed. */
export function failureError(failure: FailureMessage, limits: CapsuleLimits): CapsuleError {
  const message = printable(failure.message, MESSAGE_LENGTH_MAX)
  if (failure.kind === 'module') {
    return new CapsuleError('ERR_MODULE_INVALID', `the engine refused the module: ${message}`)
  }
  if (failure.kind === 'channel') {
    return new CapsuleError('ERR_CAPSULE_CHANNEL', 'the capsule left too many answers unread on its channel')
  }
  if (failure.kind === 'replay') return new CapsuleError('ERR_REPLAY_DIVERGED', message)
  if (failure.kind === 'traceEnd') return new TraceEndedError('ERR_REPLAY_DIVERGED', message)
  // A program whose memory cannot grow any more sees an allocation fail and traps; the engine has no name for it.
  const hasGrown = failure.memoryBytes > failure.memoryBytesAtStart
  if (hasGrown && failure.memoryBytes * 2 >= limits.memoryBytesMax) {
    return new CapsuleError(
      'ERR_CAPSULE_MEMORY_LIMIT',
      `the capsule stopped (${message}) with ${failure.memoryBytes} of at most ${limits.memoryBytesMax} bytes of memory`
    )
  }
  return new CapsuleError('ERR_CAPSULE_TRAP', `the capsule trapped: ${message}`)
}

/** The error of a capsule that used up its processor time. */
export function cpuLimitError(limits: CapsuleLimits): CapsuleError {
  return new CapsuleError(
    'ERR_CAPSULE_TIME_LIMIT',
    `the capsule used more than ${limits.cpuSecondsMax} s of processor time`
  )
}
