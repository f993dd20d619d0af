import { CID } from 'multiformats/cid'
import { checkCid } from '../cid.ts'
import { BLOCK_BYTES_MAX } from '../constants.ts'
import { ContentError } from '../errors.ts'
import {
  ASK_CID_BYTES_MAX,
  ASK_NAMES_MAX,
  ASK_ROOTS_MAX,
  CONTROL_BYTES_MAX,
  CREDIT_BYTES_MAX,
  FRAME_HEADER_BYTES
} from './constants.ts'

/** Bytes of a fingerprint and of a token. */
const SECRET_BYTES = 32

/** Which part of a file is asked for: bytes from `from`, up to but without `to`. */
export interface ByteRange {
  readonly from: number
  readonly to: number
}

/** What a requester asks for. */
export interface Ask {
  /** In the order in which they are to come. */
  readonly roots: readonly CID[]
  /** Everything below the roots too, depth first; otherwise only the blocks themselves. */
  readonly below: boolean
  /** Names to follow from each root; the blocks on the way come too. */
  readonly path?: readonly string[] | undefined
  /** Of the file at the end of the path only these bytes, and the blocks that lead to them. */
  readonly range?: ByteRange | undefined
}

/** Everything that travels on a channel. */
export type Frame =
  | { readonly type: 'ask'; readonly ask: Ask }
  /** So many bytes of blocks more may be sent. */
  | { readonly type: 'more'; readonly bytes: number }
  /** Hand back the later half of what is being sent. */
  | { readonly type: 'split' }
  /** So many steps were handed back, the last ones first. */
  | { readonly type: 'handed-back'; readonly steps: number }
  | {
      readonly type: 'block'
      readonly bytes: Uint8Array
      /** Of one that came: its bytes are needed no more. It need not be called. */
      readonly release?: (() => void) | undefined
    }
  /** The next block is not here, or not for you. */
  | { readonly type: 'absent' }
  /** The ask is answered; `limit`: as far as the server's bounds allow. */
  | { readonly type: 'end'; readonly reason: EndReason }
  /** Give me a token: I want to dial you, with this certificate. */
  | { readonly type: 'socket-hello'; readonly fingerprint: Uint8Array }
  /** Dial me with this token; I have this certificate. */
  | { readonly type: 'socket-token'; readonly fingerprint: Uint8Array; readonly token: Uint8Array }
  /** You dial: you have done so before. */
  | { readonly type: 'socket-please' }
  /** No second socket. */
  | { readonly type: 'socket-no' }

/** Why an ask ended. */
export type EndReason = 'done' | 'limit'

const TYPES = {
  ask: 1,
  more: 2,
  split: 3,
  'socket-hello': 4,
  'socket-token': 5,
  'socket-please': 6,
  'socket-no': 7,
  block: 16,
  absent: 17,
  end: 18,
  'handed-back': 19
} as const satisfies Record<Frame['type'], number>

const NAMES: ReadonlyMap<number, Frame['type']> = new Map(
  Object.entries(TYPES).map(([name, type]) => [type, name as Frame['type']])
)

const FLAG_BELOW = 1
const FLAG_RANGE = 2

/** A frame that breaks the protocol. */
export function malformedFrame(expected: string, got: string): ContentError {
  return new ContentError('ERR_DAG_STREAM_FRAME', `expected ${expected} and got ${got}`)
}

/**
 * The length of a frame's payload, from its header.
 *
 * @throws ContentError `ERR_DAG_STREAM_FRAME` when there is no such type or the payload is too long for it
 */
export function payloadLength(header: Uint8Array): number {
  const type = NAMES.get(header[0] ?? 0)
  const length = new DataView(header.buffer, header.byteOffset).getUint32(1)
  if (type === undefined) throw malformedFrame('a known type of frame', String(header[0]))
  const max = type === 'block' ? BLOCK_BYTES_MAX : CONTROL_BYTES_MAX
  if (length > max) throw malformedFrame(`at most ${max} bytes in a frame of type ${type}`, String(length))
  return length
}

/** The header of a frame of that type. */
export function writeHeader(target: Uint8Array, type: Frame['type'], length: number): void {
  target[0] = TYPES[type]
  new DataView(target.buffer, target.byteOffset).setUint32(1, length)
}

/** A whole frame; blocks are written without it, see {@link writeHeader}. */
export function encodeFrame(frame: Frame): Uint8Array {
  const payload = encodePayload(frame)
  const bytes = new Uint8Array(FRAME_HEADER_BYTES + payload.length)
  writeHeader(bytes, frame.type, payload.length)
  bytes.set(payload, FRAME_HEADER_BYTES)
  return bytes
}

function encodePayload(frame: Frame): Uint8Array {
  switch (frame.type) {
    case 'ask':
      return encodeAsk(frame.ask)
    case 'more':
      return numbers(frame.bytes)
    case 'handed-back':
      return numbers(frame.steps)
    case 'block':
      return frame.bytes
    case 'end':
      return Uint8Array.of(frame.reason === 'done' ? 0 : 1)
    case 'socket-hello':
      return frame.fingerprint
    case 'socket-token':
      return Buffer.concat([frame.fingerprint, frame.token])
    default:
      return new Uint8Array(0)
  }
}

function numbers(value: number): Uint8Array {
  const bytes = new Uint8Array(4)
  new DataView(bytes.buffer).setUint32(0, value)
  return bytes
}

function encodeAsk({ roots, below, path = [], range }: Ask): Uint8Array {
  const head = Buffer.alloc(4)
  head[0] = (below ? FLAG_BELOW : 0) | (range === undefined ? 0 : FLAG_RANGE)
  head[1] = path.length
  head.writeUInt16BE(roots.length, 2)
  const parts: Uint8Array[] = [head]
  for (const { bytes } of roots) parts.push(Uint8Array.of(bytes.length), bytes)
  for (const name of path) {
    const text = Buffer.from(name)
    parts.push(Uint8Array.of(text.length), text)
  }
  if (range !== undefined) {
    const numbers64 = Buffer.alloc(16)
    numbers64.writeBigUInt64BE(BigInt(range.from))
    numbers64.writeBigUInt64BE(BigInt(range.to), 8)
    parts.push(numbers64)
  }
  return Buffer.concat(parts)
}

/**
 * The frame of a header's type and its payload. A block's bytes are not copied.
 *
 * @throws ContentError `ERR_DAG_STREAM_FRAME`
 */
export function decodeFrame(header: Uint8Array, payload: Uint8Array): Frame {
  const type = NAMES.get(header[0] ?? 0)
  const exactly = (length: number): void => {
    if (payload.length !== length)
      throw malformedFrame(`${length} bytes in a frame of type ${type ?? '?'}`, String(payload.length))
  }
  switch (type) {
    case undefined:
      throw malformedFrame('a known type of frame', String(header[0]))
    case 'block':
      return { type, bytes: payload }
    case 'ask':
      return { type, ask: decodeAsk(payload) }
    case 'more':
      exactly(4)
      return { type, bytes: within(numberAt(payload), CREDIT_BYTES_MAX) }
    case 'handed-back':
      exactly(4)
      return { type, steps: numberAt(payload) }
    case 'end':
      exactly(1)
      return { type, reason: within(payload[0] ?? 2, 1) === 0 ? 'done' : 'limit' }
    case 'socket-hello':
      exactly(SECRET_BYTES)
      return { type, fingerprint: payload.slice() }
    case 'socket-token':
      exactly(2 * SECRET_BYTES)
      return { type, fingerprint: payload.slice(0, SECRET_BYTES), token: payload.slice(SECRET_BYTES) }
    default:
      exactly(0)
      return { type }
  }
}

function numberAt(payload: Uint8Array): number {
  return new DataView(payload.buffer, payload.byteOffset).getUint32(0)
}

function within(value: number, max: number): number {
  if (value > max) throw malformedFrame(`at most ${max}`, String(value))
  return value
}

/** Reads fields one after the other; what is missing is malformed. */
class Fields {
  readonly #bytes: Buffer
  #at = 0

  constructor(bytes: Uint8Array) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  }

  take(length: number): Buffer {
    const end = this.#at + length
    if (end > this.#bytes.length) throw malformedFrame('a whole ask', `${this.#bytes.length} bytes of one`)
    const taken = this.#bytes.subarray(this.#at, end)
    this.#at = end
    return taken
  }

  get isAtEnd(): boolean {
    return this.#at === this.#bytes.length
  }
}

function decodeAsk(payload: Uint8Array): Ask {
  const fields = new Fields(payload)
  const head = fields.take(4)
  const flags = within(head.readUInt8(0), FLAG_BELOW | FLAG_RANGE)
  const nameCount = within(head.readUInt8(1), ASK_NAMES_MAX)
  const rootCount = within(head.readUInt16BE(2), ASK_ROOTS_MAX)
  if (rootCount === 0) throw malformedFrame('at least one CID in an ask', 'none')
  const roots: CID[] = []
  for (let index = 0; index < rootCount; index++) {
    const length = within(fields.take(1).readUInt8(0), ASK_CID_BYTES_MAX)
    roots.push(decodeCid(fields.take(length)))
  }
  const path: string[] = []
  for (let index = 0; index < nameCount; index++) {
    path.push(decodeName(fields.take(fields.take(1).readUInt8(0))))
  }
  const range = (flags & FLAG_RANGE) === 0 ? undefined : decodeRange(fields.take(16))
  if (!fields.isAtEnd) throw malformedFrame('an ask and nothing behind it', 'more bytes')
  return { roots, below: (flags & FLAG_BELOW) !== 0, path, range }
}

function decodeCid(bytes: Uint8Array): CID {
  try {
    // A copy: the frame's memory is used again.
    const cid = CID.decode(Uint8Array.from(bytes))
    checkCid(cid)
    return cid
  } catch (cause) {
    throw new ContentError('ERR_DAG_STREAM_FRAME', 'expected a CID that we handle in an ask', { cause })
  }
}

function decodeName(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch (cause) {
    throw new ContentError('ERR_DAG_STREAM_FRAME', 'expected a name in UTF-8 in an ask', { cause })
  }
}

function decodeRange(bytes: Buffer): ByteRange {
  const [from, to] = [bytes.readBigUInt64BE(0), bytes.readBigUInt64BE(8)]
  if (to <= from || to > BigInt(Number.MAX_SAFE_INTEGER)) {
    throw malformedFrame('a range of at least one byte', `${from} to ${to}`)
  }
  return { from: Number(from), to: Number(to) }
}
