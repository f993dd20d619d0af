import { WASI_PARAMETERS, type WasiName } from '../wasi/signatures.ts'

/**
 * Entries of a trace, one a call of the program: `[kind u8][errno u8][check u32][length u32][payload]`, numbers
 * little-endian.
 *
 * @see docs/protocols/capsule-trace.md
 */
export const ENTRY_HEAD_BYTES = 10

/** Bytes of the payload of {@link ENTRY_KIND.output}. */
export const OUTPUT_BYTES = 9

/** Bytes of a trace's entries; a run that goes on is recorded no further. */
export const TRACE_ENTRIES_BYTES_MAX: number = 128 * 1024 * 1024

/** Bytes before a chunk of a trace: `[type u8][length u32]`. */
export const CHUNK_HEAD_BYTES = 5

/** What a chunk of a trace holds. */
export const CHUNK = {
  /** Entries, cut anywhere. */
  entries: 0,
  /** One of the host's answers to a call on files; entries name them by their order. */
  answer: 1
} as const

/** Bytes from which on an answer to a call on files is kept by the host and named by entries; others are in the entries. */
export const KEPT_ANSWER_BYTES_MIN = 512

const NAMES = Object.keys(WASI_PARAMETERS) as WasiName[]

/** Kinds of entries that are no plain call; calls are numbered from 0 in the order of their table. */
export const ENTRY_KIND = {
  /** `fd_read` of what the host's answers hold: `[filled u32]`, then `[answer u32][offset u32][length u32]` a piece. */
  fileRead: 252,
  /** `fd_read` of standard input whose bytes were left out: the payload is only how many. */
  withheldRead: 253,
  /** `fd_write` to a stream: `[stream u8][crc32 u32][result u32]`. */
  output: 254,
  /** The program's end, written by the host. */
  end: 255
} as const

/** The number of each call in a trace. */
export const ENTRY_KIND_OF: Readonly<Record<WasiName, number>> = Object.fromEntries(
  NAMES.map((name, index) => [name, index])
) as Record<WasiName, number>

/** Calls whose answer follows from how the program was started: they are made again, not kept. */
export const UNRECORDED: ReadonlySet<WasiName> = new Set<WasiName>([
  'args_get',
  'args_sizes_get',
  'clock_res_get',
  'environ_get',
  'environ_sizes_get',
  'proc_exit',
  'proc_raise',
  'sched_yield'
])

/** One entry. */
export interface TraceEntry {
  readonly kind: number
  readonly errno: number
  readonly check: number
  readonly payload: Uint8Array
}

/** A trace is not of its form. */
export class TraceFormatError extends Error {}

/** Reads the entries of a trace one after the other. */
export class TraceReader {
  readonly #bytes: Uint8Array
  readonly #view: DataView
  readonly #answers: Uint8Array[] = []
  #at = 0

  /**
   * @param chunks - the trace behind its module; the last one may be cut off
   * @throws TraceFormatError
   */
  constructor(chunks: Uint8Array) {
    let entriesBytes = 0
    for (const { type, bytes, isWhole } of readChunks(chunks)) {
      if (type === CHUNK.entries) entriesBytes += bytes.byteLength
      else if (isWhole) this.#answers.push(bytes)
    }
    // Not by way of a list of them: of chunks of a byte that would be many times as large as their trace.
    this.#bytes = new Uint8Array(entriesBytes)
    let at = 0
    for (const { type, bytes } of readChunks(chunks)) {
      if (type !== CHUNK.entries) continue
      this.#bytes.set(bytes, at)
      at += bytes.byteLength
    }
    this.#view = new DataView(this.#bytes.buffer, this.#bytes.byteOffset, this.#bytes.byteLength)
  }

  /**
   * The next entry; `undefined` at the end, also where the last one was cut off with its process.
   *
   * @throws TraceFormatError
   */
  next(): TraceEntry | undefined {
    if (this.#at + ENTRY_HEAD_BYTES > this.#bytes.byteLength) return undefined
    const kind = this.#view.getUint8(this.#at)
    if (kind >= NAMES.length && kind < ENTRY_KIND.fileRead)
      throw new TraceFormatError('expected a known entry')
    const length = this.#view.getUint32(this.#at + 6, true)
    const start = this.#at + ENTRY_HEAD_BYTES
    if (start + length > this.#bytes.byteLength) return undefined
    const entry = {
      kind,
      errno: this.#view.getUint8(this.#at + 1),
      check: this.#view.getUint32(this.#at + 2, true),
      payload: this.#bytes.subarray(start, start + length)
    }
    this.#at = start + length
    return entry
  }

  /** `length` bytes from `offset` of the answer of that number; `undefined` when there are none. */
  answered(number: number, offset: number, length: number): Uint8Array | undefined {
    const answer = this.#answers[number]
    if (answer === undefined || offset + length > answer.byteLength) return undefined
    return answer.subarray(offset, offset + length)
  }
}

/** What comes before `length` bytes of a chunk. */
export function encodeChunkHead(type: number, length: number): Uint8Array<ArrayBuffer> {
  const head = new Uint8Array(CHUNK_HEAD_BYTES)
  head[0] = type
  new DataView(head.buffer).setUint32(1, length, true)
  return head
}

function* readChunks(bytes: Uint8Array): Generator<{ type: number; bytes: Uint8Array; isWhole: boolean }> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  for (let at = 0; at + CHUNK_HEAD_BYTES <= bytes.byteLength;) {
    const type = view.getUint8(at)
    if (type !== CHUNK.entries && type !== CHUNK.answer) throw new TraceFormatError('expected a known chunk')
    const start = at + CHUNK_HEAD_BYTES
    const length = view.getUint32(at + 1, true)
    // Nobody writes shorter ones, and each costs whoever reads it more than its bytes.
    if (type === CHUNK.answer && length < KEPT_ANSWER_BYTES_MIN)
      throw new TraceFormatError('expected a longer answer of the host')
    at = start + length
    yield { type, bytes: bytes.subarray(start, at), isWhole: at <= bytes.byteLength }
  }
}
