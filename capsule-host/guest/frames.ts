/**
 * The framing between the host and the process a capsule runs in: `[type u8][length u32 little-endian][payload]`,
 * both ways over one pipe each. Nothing here is serialised by Node, so nothing a hostile process sends is
 * deserialised by the host.
 */

/** What a frame is. Below 16 the host speaks, from 16 the guest. */
export const FRAME = {
  /** Host: JSON {@link StartMessage}. */
  start: 1,
  /** Host: the next piece of the module. */
  module: 2,
  /** Host: the module is whole, run it. */
  run: 3,
  /** Host: bytes of standard input, within what the guest asked for. */
  stdin: 4,
  /** Host: standard input has ended. */
  stdinEnd: 5,
  /** Host: bytes of the runtime channel. */
  channelIn: 6,
  /** Host: the answer to {@link FRAME.fileCall}. */
  fileAnswer: 7,
  /** Host: the next piece of the trace that a run is replayed from, before {@link FRAME.run}. */
  traceIn: 8,
  /** Guest: the process is up. */
  ready: 16,
  /** Guest: bytes of standard output. */
  stdout: 17,
  /** Guest: bytes of standard error. */
  stderr: 18,
  /** Guest: bytes of the runtime channel. */
  channelOut: 19,
  /** Guest: u32, how many more bytes of standard input it will take. */
  stdinWant: 20,
  /** Guest: u32, the exit code. The last frame. */
  exit: 21,
  /** Guest: JSON {@link FailureMessage}. The last frame. */
  failed: 22,
  /** Guest: a call on files, one at a time; the next after its {@link FRAME.fileAnswer}. */
  fileCall: 23,
  /** Guest: the next piece of the trace of this run. */
  traceOut: 24
} as const

/** A type of frame. */
export type FrameType = (typeof FRAME)[keyof typeof FRAME]

/** One frame. */
export interface Frame {
  readonly type: number
  readonly payload: Uint8Array
}

/** Payload of {@link FRAME.start}. */
export interface StartMessage {
  /** `argv`, the capsule's name first. */
  readonly args: readonly string[]
  /** Bytes of the module that follows. */
  readonly moduleBytes: number
  /** Whether there is anybody to answer calls on files. */
  readonly hasFiles: boolean
  /** Whether the run is recorded, or replayed from `bytes` of a trace that follow the module. */
  readonly trace?:
    | { readonly kind: 'record'; readonly keepsInput: boolean }
    | { readonly kind: 'replay'; readonly bytes: number }
}

/**
 * How a capsule failed: its module does not compile or link, it trapped, it flooded the channel, its replay is not as its
 * trace, or goes on where that ends.
 */
export type FailureKind = 'module' | 'trap' | 'channel' | 'replay' | 'traceEnd'

/** Payload of {@link FRAME.failed}. */
export interface FailureMessage {
  readonly kind: FailureKind
  /** What the engine said. */
  readonly message: string
  /** Bytes of linear memory at the start and at the end; 0 when there is none. */
  readonly memoryBytesAtStart: number
  readonly memoryBytes: number
}

/** Most payload bytes of one frame, both ways. */
export const FRAME_PAYLOAD_BYTES_MAX: number = 64 * 1024
/** Bytes before the payload. */
export const FRAME_HEAD_BYTES = 5

/** Encodes one frame. The payload is copied. */
export function encodeFrame(type: FrameType, payload: Uint8Array): Uint8Array<ArrayBuffer> {
  const frame = new Uint8Array(FRAME_HEAD_BYTES + payload.byteLength)
  writeHead(frame, type, payload.byteLength)
  frame.set(payload, FRAME_HEAD_BYTES)
  return frame
}

/** Encodes frames one after the other in the same memory, for whoever is done with one before the next. */
export class FrameWriter {
  readonly #frame = new Uint8Array(FRAME_HEAD_BYTES + FRAME_PAYLOAD_BYTES_MAX)

  /** One frame, good until the next; `payload` must fit it. */
  encode(type: FrameType, payload: Uint8Array): Uint8Array<ArrayBuffer> {
    writeHead(this.#frame, type, payload.byteLength)
    this.#frame.set(payload, FRAME_HEAD_BYTES)
    return this.#frame.subarray(0, FRAME_HEAD_BYTES + payload.byteLength)
  }
}

/** What comes before a payload of `length` bytes that is sent as it is. */
export function encodeFrameHead(type: FrameType, length: number): Uint8Array<ArrayBuffer> {
  const head = new Uint8Array(FRAME_HEAD_BYTES)
  writeHead(head, type, length)
  return head
}

function writeHead(frame: Uint8Array<ArrayBuffer>, type: FrameType, length: number): void {
  frame[0] = type
  frame[1] = length
  frame[2] = length >>> 8
  frame[3] = length >>> 16
  frame[4] = length >>> 24
}

/** Encodes a frame whose payload is one unsigned 32-bit number. */
export function encodeNumberFrame(type: FrameType, value: number): Uint8Array<ArrayBuffer> {
  const payload = new Uint8Array(4)
  new DataView(payload.buffer).setUint32(0, value, true)
  return encodeFrame(type, payload)
}

/** Reads the payload of {@link encodeNumberFrame}; `undefined` when it is not four bytes. */
export function readNumberPayload(payload: Uint8Array): number | undefined {
  if (payload.byteLength !== 4) return undefined
  return new DataView(payload.buffer, payload.byteOffset, 4).getUint32(0, true)
}

/** A frame announced more bytes than {@link FRAME_PAYLOAD_BYTES_MAX}. */
export class FrameTooLargeError extends Error {}

/** Cuts a byte stream into frames; holds at most one frame. */
export class FrameDecoder {
  readonly #head = new Uint8Array(FRAME_HEAD_BYTES)
  #headBytes = 0
  /** The payload that is not whole yet. */
  #payload: Uint8Array<ArrayBuffer> | undefined
  #payloadBytes = 0

  /**
   * Takes the next chunk and returns the frames it completed. A payload that came in one piece is a view of its chunk and
   * good for as long as that is; one that came in several was put together, once.
   *
   * @throws FrameTooLargeError when a frame announces too many bytes; the decoder is then of no further use
   */
  push(chunk: Uint8Array): Frame[] {
    // A plain view: the `slice` of a Buffer would not copy.
    const bytes = new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.byteLength)
    const frames: Frame[] = []
    let offset = 0
    do {
      if (this.#headBytes < FRAME_HEAD_BYTES) {
        offset += this.#fillHead(bytes.subarray(offset))
        if (this.#headBytes < FRAME_HEAD_BYTES) break
      }
      const length = this.#payloadLength()
      const rest = bytes.subarray(offset, offset + length - this.#payloadBytes)
      offset += rest.byteLength
      const payload = this.#takePayload(rest, length)
      if (payload === undefined) break
      frames.push({ type: this.#head[0] ?? 0, payload })
      this.#headBytes = 0
    } while (offset < bytes.byteLength)
    return frames
  }

  #fillHead(bytes: Uint8Array): number {
    const part = bytes.subarray(0, FRAME_HEAD_BYTES - this.#headBytes)
    this.#head.set(part, this.#headBytes)
    this.#headBytes += part.byteLength
    return part.byteLength
  }

  #payloadLength(): number {
    const length = new DataView(this.#head.buffer).getUint32(1, true)
    if (length > FRAME_PAYLOAD_BYTES_MAX) {
      throw new FrameTooLargeError(`expected a frame of at most ${FRAME_PAYLOAD_BYTES_MAX} bytes`)
    }
    return length
  }

  /** The whole payload when `part` completes it. */
  #takePayload(part: Uint8Array, length: number): Uint8Array | undefined {
    if (this.#payload === undefined && part.byteLength === length) return part
    this.#payload ??= new Uint8Array(length)
    this.#payload.set(part, this.#payloadBytes)
    this.#payloadBytes += part.byteLength
    if (this.#payloadBytes < length) return undefined
    const whole = this.#payload
    this.#payload = undefined
    this.#payloadBytes = 0
    return whole
  }
}
