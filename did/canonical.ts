import { decode, encode } from '@ipld/dag-cbor'
import { decodePlain, encodePlain } from './canonical-plain.ts'
import { CBOR_DEPTH_MAX, CBOR_ITEMS_MAX } from './constants.ts'
import { DidError } from './errors.ts'

/** Bounds of {@link decodeCanonical}. */
export interface CanonicalBounds {
  /** Most bytes that are looked at. */
  readonly bytesMax: number
  /** Deepest nesting; `CBOR_DEPTH_MAX` when absent. */
  readonly depthMax?: number
  /** Most data items; `CBOR_ITEMS_MAX` when absent. */
  readonly itemsMax?: number
  /**
   * Bytes inside may be views of what is decoded, not copies: for who reads a message and copies what is kept, since one small
   * view keeps the whole of it in memory.
   */
  readonly isViewing?: boolean
}

/**
 * The one encoding of `value`: DAG-CBOR without floating point numbers. Integers, text, bytes, booleans, null,
 * arrays, maps with text keys and CIDs.
 *
 * @throws DidError `ERR_CBOR_UNSUPPORTED` for anything else, such as `undefined`, a fraction or a function
 * @see https://ipld.io/specs/codecs/dag-cbor/spec/
 */
export function encodeCanonical(value: unknown): Uint8Array {
  const plain = encodePlain(value, { depthMax: CBOR_DEPTH_MAX, itemsMax: CBOR_ITEMS_MAX })
  if (plain !== undefined) return plain
  let bytes: Uint8Array
  try {
    bytes = Uint8Array.from(encode(value))
  } catch (cause) {
    throw new DidError('ERR_CBOR_UNSUPPORTED', 'expected a value with a canonical DAG-CBOR form', { cause })
  }
  scanItems(bytes, CBOR_DEPTH_MAX, CBOR_ITEMS_MAX)
  return bytes
}

/**
 * Reads canonical DAG-CBOR: the size is checked before anything is parsed, nesting and item count before
 * anything is built, and writing the value again must give the same bytes, so that one value has one encoding.
 *
 * @throws DidError `ERR_CBOR_TOO_LARGE`, `ERR_CBOR_TOO_DEEP`, `ERR_CBOR_UNSUPPORTED` or `ERR_CBOR_NOT_CANONICAL`
 */
export function decodeCanonical(bytes: Uint8Array, bounds: CanonicalBounds): unknown {
  if (bytes.length > bounds.bytesMax) {
    throw new DidError('ERR_CBOR_TOO_LARGE', `expected at most ${bounds.bytesMax} bytes, got ${bytes.length}`)
  }
  const { depthMax = CBOR_DEPTH_MAX, itemsMax = CBOR_ITEMS_MAX, isViewing = false } = bounds
  const plain = decodePlain(bytes, { depthMax, itemsMax, isViewing })
  if (plain !== undefined) return plain
  scanItems(bytes, depthMax, itemsMax)
  let value: unknown
  let again: Uint8Array
  try {
    value = decode(bytes)
    again = encode(value)
  } catch (cause) {
    throw notCanonical(cause)
  }
  if (Buffer.compare(again, bytes) !== 0) throw notCanonical()
  return value
}

function notCanonical(cause?: unknown): DidError {
  return new DidError('ERR_CBOR_NOT_CANONICAL', 'expected canonical DAG-CBOR, got other bytes', { cause })
}

// RFC 8949 §3: major types.
const BYTES = 2
const TEXT = 3
const ARRAY = 4
const MAP = 5
const TAG = 6
const SIMPLE = 7

/**
 * Walks the item heads without building values or recursing, so that hostile nesting costs neither stack nor
 * memory. Leaves shortest form, key order and UTF-8 to the comparison in {@link decodeCanonical}.
 */
function scanItems(bytes: Uint8Array, depthMax: number, itemsMax: number): void {
  const open: number[] = [1]
  let position = 0
  let items = 0
  while (open.length > 0) {
    const left = open.pop() ?? 0
    if (left === 0) continue
    open.push(left - 1)
    if (++items > itemsMax) throw new DidError('ERR_CBOR_TOO_DEEP', `expected at most ${itemsMax} data items`)
    const head = readHead(bytes, position)
    position = head.end
    if (head.major === SIMPLE) assertSimple(head.argument, head.end - head.start)
    if (head.major === BYTES || head.major === TEXT) position += head.argument
    const children = childCount(head)
    // Each child takes a byte at least, so a count beyond what is left is a lie.
    if (position + children > bytes.length) throw notCanonical()
    if (children === 0) continue
    if (open.length > depthMax) {
      throw new DidError('ERR_CBOR_TOO_DEEP', `expected nesting of at most ${depthMax}`)
    }
    open.push(children)
  }
  if (position !== bytes.length) throw notCanonical()
}

interface ItemHead {
  readonly major: number
  readonly argument: number
  readonly start: number
  readonly end: number
}

function readHead(bytes: Uint8Array, start: number): ItemHead {
  const first = bytes[start]
  if (first === undefined) throw notCanonical()
  const major = first >> 5
  const info = first & 31
  if (info < 24) return { major, argument: info, start, end: start + 1 }
  if (info > 27) throw notCanonical()
  const end = start + 1 + 2 ** (info - 24)
  if (end > bytes.length) throw notCanonical()
  let argument = 0
  // An argument over 2^53 loses its low digits here, which no bound below depends on.
  for (let index = start + 1; index < end; index++) argument = argument * 256 + (bytes[index] ?? 0)
  return { major, argument, start, end }
}

function childCount(head: ItemHead): number {
  if (head.major === ARRAY) return head.argument
  if (head.major === MAP) return head.argument * 2
  return head.major === TAG ? 1 : 0
}

function assertSimple(argument: number, headBytes: number): void {
  // false, true and null in their one-byte form; everything else of major type 7 is a float, undefined or unassigned.
  if (headBytes === 1 && argument >= 20 && argument <= 22) return
  throw new DidError(
    'ERR_CBOR_UNSUPPORTED',
    'expected no floating point number, undefined or other simple value'
  )
}
