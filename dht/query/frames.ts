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
  let offset = 0
  const append = (chunk: Chunk): void => {
    const bytes = chunk instanceof Uint8Array ? chunk : chunk.subarray()
    buffer = offset < buffer.length ? Buffer.concat([buffer.subarray(offset), bytes]) : bytes
    offset = 0
  }
  const next = (): Uint8Array | undefined => {
    const frame = frameAt(buffer, offset, bytesMax)
    if (frame !== undefined) offset = frame.byteOffset - buffer.byteOffset + frame.length
    if (offset === buffer.length) [buffer, offset] = [NOTHING, 0]
    return frame
  }
  return {
    append,
    next,
    waitingBytes: () => buffer.length - offset,
    push: (chunk) => {
      append(chunk)
      const frames: Uint8Array[] = []
      for (let frame = next(); frame !== undefined; frame = next()) frames.push(frame)
      return frames
    }
  }
}

function frameAt(buffer: Uint8Array, start: number, bytesMax: number): Uint8Array | undefined {
  let length = 0
  let factor = 1
  for (let count = 0; ; count += 1) {
    const byte = buffer[start + count]
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
    const offset = start + count + 1
    return buffer.length - offset < length ? undefined : buffer.subarray(offset, offset + length)
  }
}
