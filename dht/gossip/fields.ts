import { DhtError } from '../errors.ts'

/** How protobuf says what kind of value follows. */
const WIRE = { varint: 0, fixed64: 1, bytes: 2, fixed32: 5 } as const

const VARINT_BYTES_MAX = 10

/**
 * Goes over the fields of a protobuf message without decoding them: `next` steps to a field and says whether there is one;
 * the rest tells about the field it stands at. For messages of which nearly all are known already by one of their fields.
 */
export class FieldCursor {
  /** Number and kind of the field, as on the wire. */
  tag = 0
  /** Where the field begins, its tag included. */
  start = 0
  /** Where its value begins. */
  valueStart = 0
  /** Where it ends. */
  end = 0
  readonly #bytes: Uint8Array

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
  }

  /**
   * Steps to the next field.
   *
   * @throws {@link DhtError} `ERR_REQUEST_FAILED` when what follows is no whole field
   */
  next(): boolean {
    if (this.end >= this.#bytes.length) return false
    this.start = this.end
    this.tag = this.#varint()
    const wire = this.tag & 7
    if (wire === WIRE.bytes) {
      const length = this.#varint()
      this.valueStart = this.end
      this.end += length
    } else {
      this.valueStart = this.end
      if (wire === WIRE.varint) this.#varint()
      else if (wire === WIRE.fixed64) this.end += 8
      else if (wire === WIRE.fixed32) this.end += 4
      else throw malformed(`a known kind of field, got ${wire}`)
    }
    if (this.end > this.#bytes.length) throw malformed('a whole field, got its beginning')
    return true
  }

  /** The value of a field of bytes, a view. */
  value(): Uint8Array {
    return this.#bytes.subarray(this.valueStart, this.end)
  }

  /** The field with its tag, a view. */
  whole(): Uint8Array {
    return this.#bytes.subarray(this.start, this.end)
  }

  #varint(): number {
    let value = 0
    let factor = 1
    for (let count = 0; count < VARINT_BYTES_MAX; count += 1) {
      const byte = this.#bytes[this.end++]
      if (byte === undefined) throw malformed('a whole number, got its beginning')
      value += (byte & 0x7f) * factor
      if (byte < 0x80) return value
      factor *= 128
    }
    throw malformed('a number of 64 bits, got a longer one')
  }
}

function malformed(what: string): DhtError {
  return new DhtError('ERR_REQUEST_FAILED', `expected ${what}`)
}
