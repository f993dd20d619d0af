import {
  CHUNK_HEAD_BYTES,
  ENTRY_HEAD_BYTES,
  ENTRY_KIND,
  OUTPUT_BYTES,
  TRACE_ENTRIES_BYTES_MAX
} from './entries.ts'

const BUFFER_BYTES = 60 * 1024
/** Bytes that are copied sooner one by one than through a view. */
const FEW_BYTES = 64
/** A head, and the fields of a fixed length behind it. */
const ROOM_BYTES = ENTRY_HEAD_BYTES + 16

/** Gathers entries and hands them over in large pieces: what stands between the calls of a program must cost next to nothing. */
export class EntryWriter {
  readonly #write: (bytes: Uint8Array) => void
  readonly #buffer = new Uint8Array(BUFFER_BYTES)
  readonly #view = new DataView(this.#buffer.buffer)
  #length = 0
  #writtenBytes = 0

  /** `write` takes the next bytes of the trace, which are a view. */
  constructor(write: (bytes: Uint8Array) => void) {
    this.#write = write
  }

  /** Begins an entry, whose `length` bytes of payload follow. */
  head(kind: number, { errno, check, length }: { errno: number; check: number; length: number }): void {
    this.begin(kind, check, length)
    this.#buffer[this.#length - ENTRY_HEAD_BYTES + 1] = errno
  }

  /** {@link head} of a call that succeeded. */
  begin(kind: number, check: number, length: number): void {
    if (this.#length + ROOM_BYTES > BUFFER_BYTES) this.flush()
    const at = this.#length
    this.#buffer[at] = kind
    this.#buffer[at + 1] = 0
    this.#view.setUint32(at + 2, check, true)
    this.#view.setUint32(at + 6, length, true)
    this.#length = at + ENTRY_HEAD_BYTES
  }

  /** The entry of `taken` bytes of `crc` that went to a stream. */
  output(check: number, stream: number, crc: number, taken: number): void {
    this.begin(ENTRY_KIND.output, check, OUTPUT_BYTES)
    const at = this.#length
    this.#buffer[at] = stream
    this.#view.setUint32(at + 1, crc, true)
    this.#view.setUint32(at + 5, taken, true)
    this.#length = at + OUTPUT_BYTES
  }

  /** A field of four bytes, anywhere in a payload. */
  u32(value: number): void {
    if (this.#length + 4 > BUFFER_BYTES) this.flush()
    this.#view.setUint32(this.#length, value, true)
    this.#length += 4
  }

  /** {@link put} of `length` bytes of `bytes` from `start`; mostly few, for which no view is made. */
  putFrom(bytes: Uint8Array, start: number, length: number): void {
    if (length > FEW_BYTES || this.#length + length > BUFFER_BYTES) {
      this.put(bytes.subarray(start, start + length))
      return
    }
    let to = this.#length
    for (let at = start; at < start + length; at++) this.#buffer[to++] = bytes[at] ?? 0
    this.#length = to
  }

  /** Bytes of a payload, any number of them. */
  put(bytes: Uint8Array): void {
    const length = bytes.length
    if (this.#length + length <= BUFFER_BYTES) {
      this.#buffer.set(bytes, this.#length)
      this.#length += length
      return
    }
    for (let done = 0; done < length;) {
      if (this.#length === BUFFER_BYTES) this.flush()
      const piece = bytes.subarray(done, done + BUFFER_BYTES - this.#length)
      this.#buffer.set(piece, this.#length)
      this.#length += piece.byteLength
      done += piece.byteLength
    }
  }

  /** Hands over what was gathered. */
  flush(): void {
    if (this.#length === 0) return
    // What goes beyond the bound tells the host that there was more, once.
    if (this.#writtenBytes <= TRACE_ENTRIES_BYTES_MAX) this.#write(this.#buffer.subarray(0, this.#length))
    this.#writtenBytes += this.#length + CHUNK_HEAD_BYTES
    this.#length = 0
  }
}
