import { MODULE_NAME_BYTES_MAX } from '../constants.ts'
import { CapsuleError } from '../errors.ts'

const BYTE_BITS_MAX = 5

/**
 * Reads the WebAssembly binary format with every length checked.
 *
 * @see https://webassembly.github.io/spec/core/binary/conventions.html
 */
export class BinaryReader {
  readonly #bytes: Uint8Array
  readonly #end: number
  #position: number

  /** Reads `bytes` from `start` up to, not including, `end`. */
  constructor(bytes: Uint8Array, start = 0, end: number = bytes.byteLength) {
    this.#bytes = bytes
    this.#position = start
    this.#end = end
  }

  /** Where the next byte is. */
  get position(): number {
    return this.#position
  }

  /** True when everything was read. */
  get isAtEnd(): boolean {
    return this.#position >= this.#end
  }

  /**
   * The next byte.
   *
   * @throws CapsuleError `ERR_MODULE_INVALID` at the end
   */
  byte(): number {
    const value = this.#position < this.#end ? this.#bytes[this.#position] : undefined
    if (value === undefined) throw malformed('more bytes', 'the end')
    this.#position++
    return value
  }

  /**
   * An unsigned 32-bit number in LEB128, at most five bytes.
   *
   * @throws CapsuleError `ERR_MODULE_INVALID`
   */
  u32(): number {
    let value = 0
    for (let index = 0; index < BYTE_BITS_MAX; index++) {
      const byte = this.byte()
      value += (byte & 0x7f) * 2 ** (7 * index)
      if ((byte & 0x80) === 0) {
        if (value > 0xffff_ffff) break
        return value
      }
    }
    throw malformed('a number of 32 bits', 'a larger one')
  }

  /**
   * A number that must not exceed `max`.
   *
   * @throws CapsuleError `ERR_MODULE_INVALID`
   */
  count(what: string, max: number): number {
    const value = this.u32()
    if (value > max) throw malformed(`at most ${max} ${what}`, String(value))
    return value
  }

  /**
   * A name: UTF-8 with its length before it.
   *
   * @throws CapsuleError `ERR_MODULE_INVALID`
   */
  name(): string {
    const length = this.count('bytes in a name', MODULE_NAME_BYTES_MAX)
    const bytes = this.take(length)
    try {
      return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
    } catch (cause) {
      throw malformed('a name in UTF-8', 'other bytes', cause)
    }
  }

  /**
   * The next `length` bytes, as a view.
   *
   * @throws CapsuleError `ERR_MODULE_INVALID` when there are fewer
   */
  take(length: number): Uint8Array {
    const start = this.#position
    if (length > this.#end - start) throw malformed(`${length} more bytes`, String(this.#end - start))
    this.#position += length
    return this.#bytes.subarray(start, start + length)
  }
}

/** Encodes an unsigned number of at most 32 bits in LEB128. */
export function encodeU32(value: number): number[] {
  const bytes: number[] = []
  let left = value
  do {
    const low = left % 128
    left = Math.floor(left / 128)
    bytes.push(left === 0 ? low : low | 0x80)
  } while (left !== 0)
  return bytes
}

/** The error of a module that is not well-formed. */
export function malformed(expected: string, came: string, cause?: unknown): CapsuleError {
  return new CapsuleError(
    'ERR_MODULE_INVALID',
    `expected a WebAssembly module with ${expected}, got ${came}`,
    {
      cause
    }
  )
}
