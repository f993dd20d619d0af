import { WASI_PARAMETERS, type WasiName } from '../wasi/signatures.ts'

/**
 * Entries of a trace, one a call of the program: `[kind u8][errno u8][check u32][length u32][payload]`, numbers
 * little-endian.
 *
 * @see docs/protocols/capsule-trace.md
 */
export const ENTRY_HEAD_BYTES = 10

/** Bytes of a trace's entries; a run that goes on is recorded no further. */
export const TRACE_ENTRIES_BYTES_MAX: number = 128 * 1024 * 1024

const NAMES = Object.keys(WASI_PARAMETERS) as WasiName[]

/** Kinds of entries that are no plain call; calls are numbered from 0 in the order of their table. */
export const ENTRY_KIND = {
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
  #at = 0

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  }

  /**
   * The next entry; `undefined` at the end, also where the last one was cut off with its process.
   *
   * @throws TraceFormatError
   */
  next(): TraceEntry | undefined {
    if (this.#at + ENTRY_HEAD_BYTES > this.#bytes.byteLength) return undefined
    const kind = this.#view.getUint8(this.#at)
    if (kind >= NAMES.length && kind < ENTRY_KIND.withheldRead)
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
}
