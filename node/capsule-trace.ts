import {
  capsuleLimits,
  CapsuleError,
  createRecording,
  createTraceFile,
  type CapsuleOutcome,
  type RunTrace
} from '#capsule-host'
import type { VerifiedPackage } from './capsules.ts'

/** What a command asks to be recorded. */
export interface RecordInit {
  /** The file, which must not exist. */
  readonly path: string
  /** Whether standard input is kept. */
  readonly input: boolean
}

/** What came of recording. */
export interface RecordedTrace {
  readonly path: string
  /** True when the run was longer than a trace may be. */
  readonly isCut: boolean
}

/**
 * Runs `work` with a trace of its run going to a new file.
 *
 * @throws CapsuleError `ERR_TRACE_FILE`; what `work` throws
 */
export async function recordRun(
  { path, input }: RecordInit,
  { capsule, args }: { capsule: VerifiedPackage; args: readonly string[] },
  work: (trace: RunTrace) => Promise<number>
): Promise<{ exitCode: number; trace: RecordedTrace }> {
  const { opened, status } = capsule
  await using file = await createTraceFile(path)
  const recording = createRecording({
    ...{ name: status.name, version: status.version, args, module: opened.entry },
    hasFiles: opened.manifest.files,
    memoryBytesMax: capsuleLimits(opened.manifest).memoryBytesMax,
    keepsInput: input,
    write: async (parts) => await file.write(parts)
  })
  try {
    const exitCode = await work(recording.trace)
    await recording.end({ kind: 'exit', exitCode })
    return { exitCode, trace: { path, isCut: recording.isCut } }
  } catch (thrown) {
    await recording.end(outcomeOf(thrown)).catch(() => undefined)
    throw thrown
  }
}

function outcomeOf(thrown: unknown): CapsuleOutcome {
  if (thrown instanceof CapsuleError) return { kind: 'error', error: thrown }
  return { kind: 'error', error: new CapsuleError('ERR_CAPSULE_STOPPED', 'the run was given up') }
}
