import { TRACE_ENTRIES_BYTES_MAX } from '../guest/trace/entries.ts'
import type { CapsuleOutcome } from '../process/outcome.ts'
import type { RunTrace } from '../process/init.ts'
import { encodeTraceChunk, encodeTraceEnd, encodeTraceStart, type TraceHead } from './trace-file.ts'

/** Options of {@link createRecording}. */
export interface RecordingInit extends Omit<TraceHead, 'moduleBytes' | 'moduleSha256'> {
  readonly module: Uint8Array
  /** Takes the next bytes of the trace, good until it resolves. One that waits holds the capsule back. */
  write(bytes: Uint8Array): Promise<void>
}

/** One run's trace on its way to a file. */
export interface Recording {
  /** For {@link CapsuleProcessInit}. */
  readonly trace: RunTrace
  /** Writes how the run ended, after what came before. */
  end(outcome: CapsuleOutcome): Promise<void>
  /** True when the run was longer than is kept; its replay ends where the trace does. */
  readonly isCut: boolean
}

/** Records one run. Nothing is written before the run starts. */
export function createRecording(init: RecordingInit): Recording {
  const { module, write, ...head } = init
  let writing: Promise<void> | undefined
  let entriesBytes = 0
  let isCut = false
  const append = async (bytes: Uint8Array): Promise<void> => {
    writing ??= write(encodeTraceStart(head, module))
    writing = writing.then(async () => await write(bytes))
    await writing
  }
  const keep = async (chunk: Uint8Array): Promise<void> => {
    entriesBytes += chunk.byteLength
    // The process stops there too, with what it could not say any more.
    isCut ||= entriesBytes > TRACE_ENTRIES_BYTES_MAX
    if (!isCut) await append(chunk)
  }
  return {
    get isCut() {
      return isCut
    },
    trace: {
      kind: 'record',
      keepsInput: head.keepsInput,
      write: async (entries) => await keep(encodeTraceChunk('entries', entries)),
      writeAnswer: async (answer) => await keep(encodeTraceChunk('answer', answer))
    },
    end: async (outcome) => {
      if (isCut) await writing
      else await append(encodeTraceChunk('entries', encodeTraceEnd(outcome)))
    }
  }
}
