/**
 * Canonical DAG-CBOR of plain data, by hand: whole numbers of 53 bits, ASCII text, bytes, booleans, null, arrays and maps. That is
 * nearly all that is signed and sent, and takes a tenth of the time of the general codec. Whatever is anything else, or not in
 * its canonical form, is left to that one, which also says what is wrong with it.
 */

/** How deep and how many: what is more is left to the general codec. */
export interface PlainBounds {
  readonly depthMax: number
  readonly itemsMax: number
  /** Bytes inside are views of what is read, not copies. */
  readonly isViewing?: boolean
}

// RFC 8949 §3: major types, in the three bits above the head's argument.
const UNSIGNED = 0
const NEGATIVE = 1
const BYTES = 2
const TEXT = 3
const ARRAY = 4
const MAP = 5
const FALSE = 0xf4
const TRUE = 0xf5
const NULL = 0xf6

const TWO_32 = 2 ** 32
/** Thrown inside, and never out of here. */
const NOT_PLAIN = Symbol('not plain')

/** The value of `bytes`; `undefined` when it is not plain data in canonical form, or more than the bounds allow. */
export function decodePlain(bytes: Uint8Array, bounds: PlainBounds): unknown {
  const reader = new PlainReader(bytes, bounds)
  try {
    const value = reader.item(1)
    return reader.isDone() ? value : undefined
  } catch (thrown) {
    if (thrown === NOT_PLAIN) return undefined
    throw thrown
  }
}

/** The bytes of `value`; `undefined` when it is not plain data, or more than the bounds allow. */
export function encodePlain(value: unknown, bounds: PlainBounds): Uint8Array | undefined {
  const writer = new PlainWriter(bounds, spare ?? Buffer.allocUnsafe(SPARE_BYTES))
  // whatever is encoded meanwhile, by a getter inside, has another
  spare = undefined
  try {
    writer.item(value, 1)
    return writer.bytes()
  } catch (thrown) {
    if (thrown === NOT_PLAIN) return undefined
    throw thrown
  } finally {
    spare = writer.released()
  }
}

/** What is kept to write into: growing from nothing costs as much as writing does. */
const SPARE_BYTES: number = 64 * 1_024
let spare: Buffer | undefined

function notPlain(): never {
  // eslint-disable-next-line @typescript-eslint/only-throw-error -- an error with its stack would cost more than the decoding
  throw NOT_PLAIN
}

class PlainReader {
  readonly #bytes: Buffer
  /** The same bytes: parts of a `Buffer` take longer to make. */
  readonly #plain: Uint8Array
  readonly #isViewing: boolean
  readonly #depthMax: number
  #itemsLeft: number
  #at = 0

  constructor(bytes: Uint8Array, { depthMax, itemsMax, isViewing = false }: PlainBounds) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
    this.#plain = new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length)
    this.#isViewing = isViewing
    this.#depthMax = depthMax
    this.#itemsLeft = itemsMax
  }

  isDone(): boolean {
    return this.#at === this.#bytes.length
  }

  item(depth: number): unknown {
    if (--this.#itemsLeft < 0) notPlain()
    const head = this.#bytes[this.#at++] ?? notPlain()
    if (head === FALSE) return false
    if (head === TRUE) return true
    if (head === NULL) return null
    const argument = this.#argument(head & 31)
    switch (head >> 5) {
      case UNSIGNED:
        return argument
      case NEGATIVE:
        return argument < Number.MAX_SAFE_INTEGER ? -1 - argument : notPlain()
      case BYTES:
        return this.#take(argument)
      case TEXT:
        return this.#text(argument)
      case ARRAY:
        return this.#array(argument, depth)
      case MAP:
        return this.#map(argument, depth)
      default:
        return notPlain()
    }
  }

  /** The argument of a head, in its shortest form. */
  #argument(info: number): number {
    if (info < 24) return info
    const at = this.#at
    const bytes = this.#bytes
    const size = info > 27 ? notPlain() : 2 ** (info - 24)
    if (at + size > bytes.length) notPlain()
    this.#at += size
    if (size === 1) return atLeast(bytes[at] ?? 0, 24)
    if (size === 2) return atLeast(bytes.readUInt16BE(at), 0x100)
    if (size === 4) return atLeast(bytes.readUInt32BE(at), 0x10000)
    const value = bytes.readUInt32BE(at) * TWO_32 + bytes.readUInt32BE(at + 4)
    return value <= Number.MAX_SAFE_INTEGER ? atLeast(value, TWO_32) : notPlain()
  }

  #take(size: number): Uint8Array {
    const start = this.#at
    if (size > this.#bytes.length - start) notPlain()
    this.#at = start + size
    return this.#isViewing ? this.#plain.subarray(start, this.#at) : this.#plain.slice(start, this.#at)
  }

  #text(size: number): string {
    const start = this.#at
    if (size > this.#bytes.length - start) notPlain()
    this.#at = start + size
    for (let at = start; at < this.#at; at++) if ((this.#bytes[at] ?? 0x80) >= 0x80) notPlain()
    return this.#bytes.toString('latin1', start, this.#at)
  }

  #array(size: number, depth: number): unknown[] {
    this.#enter(size, depth)
    const items: unknown[] = []
    for (let index = 0; index < size; index++) items.push(this.item(depth + 1))
    return items
  }

  #map(size: number, depth: number): Record<string, unknown> {
    this.#enter(2 * size, depth)
    const map: Record<string, unknown> = {}
    let before: string | undefined
    for (let index = 0; index < size; index++) {
      const key = this.#key()
      if (before !== undefined && !isBefore(before, key)) notPlain()
      map[key] = this.item(depth + 1)
      before = key
    }
    return map
  }

  #key(): string {
    if (--this.#itemsLeft < 0) notPlain()
    const head = this.#bytes[this.#at++] ?? notPlain()
    if (head >> 5 !== TEXT) notPlain()
    const key = this.#text(this.#argument(head & 31))
    // setting the first does something else; a map with one of the others may look like a link to the general codec
    return key === '__proto__' || key === '/' || key === 'asCID' ? notPlain() : key
  }

  /** Each child takes a byte at least, so that a count beyond what is left is a lie. */
  #enter(children: number, depth: number): void {
    if (children > this.#bytes.length - this.#at) notPlain()
    if (children > 0 && depth > this.#depthMax) notPlain()
  }
}

function atLeast(value: number, least: number): number {
  return value >= least ? value : notPlain()
}

/** DAG-CBOR sorts the keys of a map by their length, and those of one length by their bytes. */
function isBefore(a: string, b: string): boolean {
  return a.length === b.length ? a < b : a.length < b.length
}

class PlainWriter {
  readonly #depthMax: number
  #itemsLeft: number
  #buffer: Buffer
  #at = 0

  constructor({ depthMax, itemsMax }: PlainBounds, buffer: Buffer) {
    this.#depthMax = depthMax
    this.#itemsLeft = itemsMax
    this.#buffer = buffer
  }

  bytes(): Uint8Array {
    return new Uint8Array(this.#buffer.subarray(0, this.#at))
  }

  /** What it wrote into, for the next one; nothing of what was written stays there. */
  released(): Buffer | undefined {
    if (this.#buffer.length > SPARE_BYTES) return undefined
    return this.#buffer.fill(0, 0, this.#at)
  }

  item(value: unknown, depth: number): void {
    if (--this.#itemsLeft < 0) notPlain()
    if (typeof value === 'string') this.#text(value)
    else if (typeof value === 'number') this.#number(value)
    else if (value === null) this.#byte(NULL)
    else if (typeof value === 'boolean') this.#byte(value ? TRUE : FALSE)
    else if (typeof value !== 'object') notPlain()
    else if (value instanceof Uint8Array) this.#bytes(value)
    else if (Array.isArray(value)) this.#array(value, depth)
    else this.#map(value, depth)
  }

  #number(value: number): void {
    if (!Number.isSafeInteger(value)) notPlain()
    if (value >= 0) this.#head(UNSIGNED, value)
    else this.#head(NEGATIVE, -1 - value)
  }

  #bytes(value: Uint8Array): void {
    this.#head(BYTES, value.length)
    this.#reserve(value.length)
    this.#buffer.set(value, this.#at)
    this.#at += value.length
  }

  #text(value: string): void {
    this.#head(TEXT, value.length)
    this.#reserve(value.length)
    const buffer = this.#buffer
    for (let index = 0; index < value.length; index++) {
      const code = value.charCodeAt(index)
      if (code >= 0x80) notPlain()
      buffer[this.#at++] = code
    }
  }

  #array(value: readonly unknown[], depth: number): void {
    if (value.length > 0 && depth > this.#depthMax) notPlain()
    this.#head(ARRAY, value.length)
    for (let index = 0; index < value.length; index++) this.item(value[index], depth + 1)
  }

  #map(value: object, depth: number): void {
    const prototype: unknown = Object.getPrototypeOf(value)
    // a CID, a Map and whatever else has a form of its own
    if ((prototype !== Object.prototype && prototype !== null) || '/' in value || 'asCID' in value) notPlain()
    const keys = Object.keys(value).sort((a, b) => (isBefore(a, b) ? -1 : 1))
    if (keys.length > 0 && depth > this.#depthMax) notPlain()
    this.#head(MAP, keys.length)
    for (const key of keys) {
      if (--this.#itemsLeft < 0 || key === '__proto__') notPlain()
      this.#text(key)
      this.item((value as Record<string, unknown>)[key], depth + 1)
    }
  }

  #byte(value: number): void {
    this.#reserve(1)
    this.#buffer[this.#at++] = value
  }

  #head(major: number, argument: number): void {
    this.#reserve(9)
    const buffer = this.#buffer
    const high = major << 5
    if (argument < 24) {
      buffer[this.#at++] = high | argument
      return
    }
    if (argument < 0x100) {
      buffer[this.#at++] = high | 24
      buffer[this.#at++] = argument
    } else if (argument < 0x10000) {
      buffer[this.#at++] = high | 25
      this.#at = buffer.writeUInt16BE(argument, this.#at)
    } else if (argument < TWO_32) {
      buffer[this.#at++] = high | 26
      this.#at = buffer.writeUInt32BE(argument, this.#at)
    } else {
      buffer[this.#at++] = high | 27
      this.#at = buffer.writeUInt32BE(Math.floor(argument / TWO_32), this.#at)
      this.#at = buffer.writeUInt32BE(argument % TWO_32, this.#at)
    }
  }

  #reserve(size: number): void {
    const needed = this.#at + size
    if (needed <= this.#buffer.length) return
    const larger = Buffer.allocUnsafe(Math.max(needed, 2 * this.#buffer.length))
    larger.set(this.#buffer.subarray(0, this.#at))
    // Nothing of what was written stays in what is let go, either.
    this.#buffer.fill(0, 0, this.#at)
    this.#buffer = larger
  }
}
