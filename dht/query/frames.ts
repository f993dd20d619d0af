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
}

/** A reader of messages with a varint length before each, of at most `bytesMax` bytes. */
export function createFrameReader(bytesMax: number): FrameReader {
  let rest: Uint8Array | undefined
  return {
    push: (chunk) => {
      const bytes = chunk instanceof Uint8Array ? chunk : chunk.subarray()
      const buffer = rest === undefined ? bytes : Buffer.concat([rest, bytes])
      const frames: Uint8Array[] = []
      let offset = 0
      for (;;) {
        const frame = frameAt(buffer, offset, bytesMax)
        if (frame === undefined) break
        frames.push(frame)
        offset = frame.byteOffset - buffer.byteOffset + frame.length
      }
      rest = offset < buffer.length ? buffer.subarray(offset) : undefined
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
