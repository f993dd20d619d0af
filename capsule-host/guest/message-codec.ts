/** Fields of the messages of docs/protocols/capsule-files.md. */

/** Times to set, nanoseconds since 1970; absent ones stay. */
export interface TimesMessage {
  readonly accessedNs?: bigint | 'now'
  readonly modifiedNs?: bigint | 'now'
}

/** A question or an answer is not of its form. */
export class FileMessageError extends Error {}

const TIME = { keep: 0, now: 1, given: 2 } as const
const GROW_BYTES_MIN = 256

/** Writes the fields of a message one after the other. */
export class MessageWriter {
  #view = new DataView(new ArrayBuffer(GROW_BYTES_MIN))
  #length = 0

  /** Bytes written so far. */
  get length(): number {
    return this.#length
  }

  u8(value: number): this {
    this.#room(1).setUint8(this.#length, value)
    return this.#moved(1)
  }

  flag(value: boolean): this {
    return this.u8(value ? 1 : 0)
  }

  u32(value: number): this {
    this.#room(4).setUint32(this.#length, value, true)
    return this.#moved(4)
  }

  u64(value: bigint): this {
    this.#room(8).setBigUint64(this.#length, value, true)
    return this.#moved(8)
  }

  /** A whole number up to 2^53 - 1. */
  size(value: number): this {
    return this.u64(BigInt(value))
  }

  times({ accessedNs, modifiedNs }: TimesMessage): this {
    return this.#time(accessedNs).#time(modifiedNs)
  }

  text(value: string): this {
    const bytes = new TextEncoder().encode(value)
    if (bytes.byteLength > 0xffff) throw new FileMessageError('expected a shorter text')
    this.#room(2).setUint16(this.#length, bytes.byteLength, true)
    return this.#moved(2).raw(bytes)
  }

  raw(bytes: Uint8Array): this {
    this.#room(bytes.byteLength)
    new Uint8Array(this.#view.buffer).set(bytes, this.#length)
    return this.#moved(bytes.byteLength)
  }

  /** The last field, and the message. */
  rest(value: string | Uint8Array): Uint8Array<ArrayBuffer> {
    return this.raw(typeof value === 'string' ? new TextEncoder().encode(value) : value).end()
  }

  /** The message; a view that is the caller's when nothing more is written. */
  end(): Uint8Array<ArrayBuffer> {
    return new Uint8Array(this.#view.buffer, 0, this.#length)
  }

  #time(value: bigint | 'now' | undefined): this {
    if (value === undefined) return this.u8(TIME.keep)
    if (value === 'now') return this.u8(TIME.now)
    return this.u8(TIME.given).u64(BigInt.asUintN(64, value))
  }

  #room(bytes: number): DataView {
    const needed = this.#length + bytes
    if (needed > this.#view.byteLength) {
      const larger = new Uint8Array(Math.max(needed, this.#view.byteLength * 2))
      larger.set(this.end())
      this.#view = new DataView(larger.buffer)
    }
    return this.#view
  }

  #moved(bytes: number): this {
    this.#length += bytes
    return this
  }
}

/** Reads the fields of a message one after the other; every method throws {@link FileMessageError} at a wrong one. */
export class MessageReader {
  readonly #bytes: Uint8Array
  readonly #view: DataView
  #at = 0

  constructor(bytes: Uint8Array) {
    // A plain view: the `slice` of a Buffer would not copy.
    this.#bytes = new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  }

  get isAtEnd(): boolean {
    return this.#at === this.#bytes.byteLength
  }

  u8(): number {
    return this.#view.getUint8(this.#take(1))
  }

  /** A u8 with none but the bits of `mask`. */
  bits(mask: number): number {
    const value = this.u8()
    if ((value & ~mask) !== 0) throw new FileMessageError('expected known flags')
    return value
  }

  flag(): boolean {
    return this.bits(1) === 1
  }

  u32(): number {
    return this.#view.getUint32(this.#take(4), true)
  }

  u64(): bigint {
    return this.#view.getBigUint64(this.#take(8), true)
  }

  size(): number {
    const value = this.u64()
    if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw new FileMessageError('expected a number below 2^53')
    return Number(value)
  }

  times(): TimesMessage {
    const accessedNs = this.#time()
    const modifiedNs = this.#time()
    return {
      ...(accessedNs === undefined ? {} : { accessedNs }),
      ...(modifiedNs === undefined ? {} : { modifiedNs })
    }
  }

  text(): string {
    const length = this.#view.getUint16(this.#take(2), true)
    const start = this.#take(length)
    return decodeText(this.#bytes.subarray(start, start + length))
  }

  rest(): Uint8Array {
    const start = this.#at
    this.#at = this.#bytes.byteLength
    return this.#bytes.subarray(start)
  }

  restText(): string {
    return decodeText(this.rest())
  }

  /** Gives back `message` when nothing is left to read. */
  whole<T>(message: T): T {
    if (!this.isAtEnd) throw new FileMessageError('expected the end of the message')
    return message
  }

  #time(): bigint | 'now' | undefined {
    const kind = this.u8()
    if (kind === TIME.keep) return undefined
    if (kind === TIME.now) return 'now'
    if (kind === TIME.given) return this.u64()
    throw new FileMessageError('expected a known kind of time')
  }

  #take(length: number): number {
    const start = this.#at
    if (start + length > this.#bytes.byteLength) throw new FileMessageError('expected a longer message')
    this.#at = start + length
    return start
  }
}

function decodeText(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    throw new FileMessageError('expected UTF-8')
  }
}
