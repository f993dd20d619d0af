import { CapsuleError } from '../errors.ts'
import { DEFAULT_CAPSULE_LIMITS } from '../limits.ts'
import { startCapsuleProcess } from '../process/capsule-process.ts'
import type { CapsuleProcessComponents, CapsuleProcessInit } from '../process/init.ts'
import { TraceEndedError, type CapsuleOutcome } from '../process/outcome.ts'
import { findTraceEnd, type DecodedTrace, type TraceEnd } from './trace-file.ts'

/** Ends that came from outside the program: a replay need not, and may not, end so. */
const FROM_OUTSIDE: ReadonlySet<string> = new Set([
  'ERR_CAPSULE_CHANNEL',
  'ERR_CAPSULE_CRASHED',
  'ERR_CAPSULE_OUTPUT_CLOSED',
  'ERR_CAPSULE_OUTPUT_LIMIT',
  'ERR_CAPSULE_RATE_LIMIT',
  'ERR_CAPSULE_STOPPED',
  'ERR_CAPSULE_TIME_LIMIT'
])

/** What a replay showed. */
export interface ReplayResult {
  readonly outcome: CapsuleOutcome
  /** How the run had ended; `undefined` when its trace was cut before. */
  readonly recorded: TraceEnd | undefined
}

/**
 * Runs a recorded program again in a sandboxed process, every answer it ever got taken from its trace: it reaches no
 * file, channel, clock or person, but for standard input that was left out.
 *
 * @throws CapsuleError `ERR_REPLAY_DIVERGED` when it did something else, or ended otherwise; why it could not be started
 */
export async function replayTrace(
  components: CapsuleProcessComponents,
  { head, module, entries }: DecodedTrace,
  streams: Pick<CapsuleProcessInit, 'stdin' | 'stdout' | 'stderr' | 'signal' | 'isOwn'>
): Promise<ReplayResult> {
  const recorded = findTraceEnd(entries)
  const { name, args, memoryBytesMax } = head
  await using running = startCapsuleProcess(components, {
    ...{ ...streams, name, args, module },
    limits: { ...DEFAULT_CAPSULE_LIMITS, memoryBytesMax },
    trace: { kind: 'replay', entries }
  })
  const outcome = await running.finished
  checkReplayEnd(outcome, recorded)
  return { outcome, recorded }
}

/**
 * Compares how a replay ended with how its run did.
 *
 * @throws CapsuleError `ERR_REPLAY_DIVERGED`
 */
export function checkReplayEnd(outcome: CapsuleOutcome, recorded: TraceEnd | undefined): void {
  const code = outcome.kind === 'exit' ? '' : outcome.error.code
  // It cannot tell that it was ended: after its last call it goes on until somebody ends it again.
  const goesOn = outcome.kind === 'error' && outcome.error instanceof TraceEndedError && mayGoOn(recorded)
  if (outcome.kind === 'error' && code === 'ERR_REPLAY_DIVERGED' && !goesOn) throw outcome.error
  if (goesOn || recorded === undefined || FROM_OUTSIDE.has(recorded.code)) return
  const exitCode = outcome.kind === 'exit' ? outcome.exitCode : 0
  if (code === recorded.code && exitCode === recorded.exitCode) return
  const [was, is] = [recorded.code || recorded.exitCode, code || exitCode]
  throw new CapsuleError(
    'ERR_REPLAY_DIVERGED',
    `expected the run to end with ${was}, its replay ended with ${is}`
  )
}

function mayGoOn(recorded: TraceEnd | undefined): boolean {
  return recorded === undefined || recorded.isCut || FROM_OUTSIDE.has(recorded.code)
}
