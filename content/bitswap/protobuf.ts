import { ContentError } from '../errors.ts'

/** Protobuf wire types that are allowed; groups (3 and 4) were never part of proto3. */
export const WIRE: { readonly varint: 0; readonly fixed64: 1; readonly bytes: 2; readonly fixed32: 5 } = {
  varint: 0,
  fixed64: 1,
  bytes: 2,
  fixed32: 5
}

const VARINT_BYTES_MAX = 10
const UNCLEARED_BYTES_MIN = 4096
const EMPTY = new Uint8Array(0)

/** Bytes of `value` (a whole number, 0 to 2^53 - 1) as a varint. */
export function varintLength(value: number): number {
  let length = 1
  while (value >= 0x80) {
    value = Math.floor(value / 0x80)
    length++
  }
  return length
}

/** Writes into one buffer whose exact size the caller has computed. */
export class ProtobufWriter {
  readonly bytes: Uint8Array
  #at = 0

  constructor(size: number) {
    this.bytes = new Uint8Array(size)
  }

  /** Appends a varint, 0 to 2^53 - 1. */
  varint(value: number): void {
    while (value >= 0x80) {
      this.bytes[this.#at++] = (value % 0x80) | 0x80
      value = Math.floor(value / 0x80)
    }
    this.bytes[this.#at++] = value
  }

  /** Appends an int32 as protobuf does: a negative one takes ten bytes. */
  int32(value: number): void {
    if (value >= 0) {
      this.varint(value)
      return
    }
    for (let shift = 0; shift < 28; shift += 7) this.bytes[this.#at++] = ((value >> shift) & 0x7f) | 0x80
    this.bytes[this.#at++] = ((value >> 28) & 0x0f) | 0xf0
    for (let index = 0; index < 4; index++) this.bytes[this.#at++] = 0xff
    this.bytes[this.#at++] = 0x01
  }

  /** Appends the key of a field. */
  key(field: number, wire: number): void {
    this.varint(field * 8 + wire)
  }

  /** Appends bytes as they are. */
  raw(bytes: Uint8Array): void {
    this.bytes.set(bytes, this.#at)
    this.#at += bytes.byteLength
  }
}

/** Bytes of `value` as a protobuf int32. */
export function int32Length(value: number): number {
  return value < 0 ? VARINT_BYTES_MAX : varintLength(value)
}

/**
 * Reads protobuf from a list of chunks as they came from the network, without joining them first. Whatever it
 * returns is a copy of exactly its own size, so that a small field never keeps a large message in memory.
 *
 * @throws ContentError `ERR_BITSWAP_MESSAGE` when the bytes are not what is asked for
 */
export class ProtobufReader {
  readonly #chunks: readonly Uint8Array[]
  #index = 0
  #offset = 0
  #position = 0
  #end: number

  /** `end` is the number of bytes in all chunks together. */
  constructor(chunks: readonly Uint8Array[], end: number) {
    this.#chunks = chunks
    this.#end = end
  }

  /** Bytes left before the end of the message, or of the nested message being read. */
  get remaining(): number {
    return this.#end - this.#position
  }

  /** The next varint, which must fit 2^53 - 1. */
  varint(): number {
    let value = 0
    let scale = 1
    for (let count = 0; count < VARINT_BYTES_MAX; count++) {
      const byte = this.#byte()
      value += (byte & 0x7f) * scale
      if (byte < 0x80) {
        if (!Number.isSafeInteger(value)) throw malformed('a varint below 2^53', 'a larger one')
        return value
      }
      scale *= 0x80
    }
    throw malformed('a varint of at most ten bytes', 'a longer one')
  }

  /** The next varint as an int32: bits above 32 are dropped, as every protobuf decoder does. */
  int32(): number {
    let value = 0
    for (let count = 0; count < VARINT_BYTES_MAX; count++) {
      const byte = this.#byte()
      if (count < 5) value |= (byte & 0x7f) << (7 * count)
      if (byte < 0x80) return value
    }
    throw malformed('a varint of at most ten bytes', 'a longer one')
  }

  /** The next varint as a flag. */
  flag(): boolean {
    return this.int32() !== 0
  }

  /** A length-delimited field of at most `bytesMax` bytes, copied. */
  bytes(bytesMax: number): Uint8Array {
    const length = this.#length()
    if (length > bytesMax) throw malformed(`a field of at most ${bytesMax} bytes`, `${length}`)
    return this.#copy(length)
  }

  /** Reads a nested message by calling `read` for each of its fields until its end. */
  nested(read: (field: number, wire: number) => void): void {
    const length = this.#length()
    const outer = this.#end
    this.#end = this.#position + length
    this.fields(read)
    this.#end = outer
  }

  /** Calls `read` for each field until the end; `read` must consume the value or call {@link skip}. */
  fields(read: (field: number, wire: number) => void): void {
    while (this.remaining > 0) {
      const key = this.varint()
      const field = Math.floor(key / 8)
      if (field < 1 || field > 0x1fffffff) throw malformed('a field number', `${field}`)
      read(field, key % 8)
    }
  }

  /** Walks over a value of the given wire type. */
  skip(wire: number): void {
    if (wire === WIRE.varint) this.int32()
    else if (wire === WIRE.fixed64) this.#advance(8)
    else if (wire === WIRE.bytes) this.#advance(this.#length())
    else if (wire === WIRE.fixed32) this.#advance(4)
    else throw malformed('wire type 0, 1, 2 or 5', `${wire}`)
  }

  #length(): number {
    const length = this.varint()
    if (length > this.remaining)
      throw malformed(`at most ${this.remaining} more bytes`, `a length of ${length}`)
    return length
  }

  #byte(): number {
    if (this.#position >= this.#end) throw malformed('another byte', 'the end')
    this.#settle()
    this.#position++
    return (this.#chunks[this.#index] ?? EMPTY)[this.#offset++] ?? 0
  }

  #copy(length: number): Uint8Array {
    if (length === 0) return EMPTY
    const target = allocate(length)
    for (let filled = 0; filled < length;) filled += this.#take(length - filled, target, filled)
    return target
  }

  #advance(length: number): void {
    if (length > this.remaining) throw malformed(`at most ${this.remaining} more bytes`, `${length}`)
    for (let walked = 0; walked < length;) walked += this.#take(length - walked)
  }

  /** Consumes at most `length` bytes of the current chunk. */
  #take(length: number, target?: Uint8Array, at = 0): number {
    this.#settle()
    const chunk = this.#chunks[this.#index] ?? EMPTY
    const taken = Math.min(length, chunk.byteLength - this.#offset)
    if (taken <= 0) throw malformed('another byte', 'the end')
    target?.set(chunk.subarray(this.#offset, this.#offset + taken), at)
    this.#offset += taken
    this.#position += taken
    return taken
  }

  /** Moves on to the chunk that holds the next byte. */
  #settle(): void {
    while (
      this.#index < this.#chunks.length &&
      this.#offset >= (this.#chunks[this.#index] ?? EMPTY).byteLength
    ) {
      this.#index++
      this.#offset = 0
    }
  }
}

/** Memory that will be overwritten in full: clearing a large piece first would cost as much as filling it. */
function allocate(length: number): Uint8Array {
  if (length < UNCLEARED_BYTES_MIN) return new Uint8Array(length)
  return new Uint8Array(Buffer.allocUnsafeSlow(length).buffer)
}

/** The error of a message that is not what the protocol says. */
export function malformed(expected: string, came: string): ContentError {
  return new ContentError('ERR_BITSWAP_MESSAGE', `expected ${expected} in a bitswap message, got ${came}`)
}
