import { systemClock, type Clock } from '#contracts'
import { CHUNK, CHUNK_HEAD_BYTES, encodeChunkHead, TRACE_ENTRIES_BYTES_MAX } from '../guest/trace/entries.ts'
import type { CapsuleOutcome } from '../process/outcome.ts'
import type { RunTrace } from '../process/init.ts'
import { Gathering } from './gathering.ts'
import { encodeTraceEnd, encodeTraceStart, type TraceHead } from './trace-file.ts'

/** Options of {@link createRecording}. */
export interface RecordingInit extends Omit<TraceHead, 'moduleBytes' | 'moduleSha256'> {
  readonly module: Uint8Array
  /** Takes the next parts of the trace, good until it resolves; not called again before. One that waits holds the capsule back. */
  write(parts: readonly Uint8Array[]): Promise<void>
  /** The system's when absent. */
  readonly clock?: Pick<Clock, 'after'>
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
  const { module, write, clock = systemClock, ...head } = init
  const gathering = new Gathering({ write, clock })
  let hasStarted = false
  let entriesBytes = 0
  let isCut = false
  const append = async (type: number, bytes: Uint8Array): Promise<void> => {
    const start = hasStarted ? [] : [encodeTraceStart(head, module)]
    hasStarted = true
    await gathering.add(...start, encodeChunkHead(type, bytes.byteLength), bytes)
  }
  const keep = async (type: number, bytes: Uint8Array): Promise<void> => {
    entriesBytes += CHUNK_HEAD_BYTES + bytes.byteLength
    // The process stops there too, with what it could not say any more.
    isCut ||= entriesBytes > TRACE_ENTRIES_BYTES_MAX
    if (!isCut) await append(type, bytes)
  }
  return {
    get isCut() {
      return isCut
    },
    trace: {
      kind: 'record',
      keepsInput: head.keepsInput,
      write: async (entries) => await keep(CHUNK.entries, entries),
      writeAnswer: async (answer) => await keep(CHUNK.answer, answer)
    },
    end: async (outcome) => {
      const ended = isCut ? undefined : append(CHUNK.entries, encodeTraceEnd(outcome))
      await Promise.all([ended, gathering.end()])
    }
  }
}
