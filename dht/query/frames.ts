import { DhtError } from '../errors.ts'
import { LENGTH_BYTES_MAX } from './codec.ts'

/** What a stream hands over: bytes, or a list of them that can be joined. */
export type Chunk = Uint8Array | { readonly byteLength: number; subarray(): Uint8Array }

/** Cuts what comes over a stream into the messages in it. */
export interface FrameReader {
  /**
   * The messages that are whole with this chunk.
   *
   * @throws {@link DhtError} `ERR_MESSAGE_TOO_LARGE` when one begins that has more than the bytes allowed
   */
  push(chunk: Chunk): Uint8Array[]
  /** Takes a chunk for `next`, for who reads one message at a time. */
  append(chunk: Chunk): void
  /** The next message that is whole, if any. @throws as `push` */
  next(): Uint8Array | undefined
  /** How many bytes were taken that no message was made of yet. */
  waitingBytes(): number
}

const NOTHING = new Uint8Array()

/** A reader of messages with a varint length before each, of at most `bytesMax` bytes. */
export function createFrameReader(bytesMax: number): FrameReader {
  let buffer: Uint8Array = NOTHING
  /** Where in it what waits begins and ends. */
  let offset = 0
  let end = 0
  /** Whether there is room of our own behind the end. */
  let isOurs = false
  const append = (chunk: Chunk): void => {
    const bytes = chunk instanceof Uint8Array ? chunk : chunk.subarray()
    if (offset === end) {
      buffer = bytes
      offset = 0
      end = bytes.length
      isOurs = false
      return
    }
    if (!isOurs || end + bytes.length > buffer.length) {
      // twice the room: a message that comes in crumbs would be copied for each of them
      const grown = Buffer.allocUnsafe(2 * (end - offset + bytes.length))
      grown.set(buffer.subarray(offset, end))
      buffer = grown
      end -= offset
      offset = 0
      isOurs = true
    }
    buffer.set(bytes, end)
    end += bytes.length
  }
  const next = (): Uint8Array | undefined => {
    const waiting = buffer.subarray(offset, end)
    const frame = frameIn(waiting, bytesMax)
    if (frame !== undefined) offset += frame.byteOffset - waiting.byteOffset + frame.length
    if (offset === end) {
      buffer = NOTHING
      offset = 0
      end = 0
    }
    return frame
  }
  return {
    append,
    next,
    waitingBytes: () => end - offset,
    push: (chunk) => {
      append(chunk)
      const frames: Uint8Array[] = []
      for (let frame = next(); frame !== undefined; frame = next()) frames.push(frame)
      return frames
    }
  }
}

/** The first message in what waits, if it is whole. */
function frameIn(waiting: Uint8Array, bytesMax: number): Uint8Array | undefined {
  let length = 0
  let factor = 1
  for (let count = 0; ; count += 1) {
    const byte = waiting[count]
    if (byte === undefined) return undefined
    length += (byte & 0x7f) * factor
    factor *= 128
    if (length > bytesMax || (count + 1 === LENGTH_BYTES_MAX && byte >= 0x80)) {
      throw new DhtError(
        'ERR_MESSAGE_TOO_LARGE',
        `expected a message of at most ${bytesMax} bytes, got a longer one`
      )
    }
    if (byte >= 0x80) continue
    const start = count + 1
    return waiting.length - start < length ? undefined : waiting.subarray(start, start + length)
  }
}
