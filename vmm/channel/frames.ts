import { VM_FRAME_BYTES_MAX } from '../constants.ts'
import { VmmError } from '../errors.ts'

/** What a frame of a machine's channel is. Below 16 the host speaks, from 16 the guest, from 32 both. */
export const VM_FRAME = {
  /** Host: what to run, its fields are in docs/protocols/vm-channel.md. */
  start: 1,
  /** Host: u8, a signal for the program. */
  signal: 2,
  /** Host: u16 columns, u16 rows: its terminal has another size. */
  resize: 3,
  /**
   * Host, before {@link VM_FRAME.start}: u32, the user of its program; mount the image, read of it and ready a process. The guest then
   * says {@link VM_FRAME.hello} again.
   */
  mount: 4,
  /** Guest: up, and waiting for {@link VM_FRAME.start}; a byte for each version it speaks. */
  hello: 16,
  /** Guest: the program runs; no payload. */
  running: 17,
  /** Guest: u8 0 for an exit code or 1 for a signal, u8 which. The last frame. */
  exit: 18,
  /** Guest: u8 what it was doing, u32 the error number of its kernel. The last frame. */
  failed: 19,
  /** The next bytes of a stream, at least one. */
  data: 32,
  /** u32: so many more bytes of a stream are allowed, at least one. */
  credit: 33,
  /** The sender has no more; no payload. */
  end: 34,
  /** The receiver wants no more; no payload. */
  close: 35
} as const

/** A type of frame. */
export type VmFrameType = (typeof VM_FRAME)[keyof typeof VM_FRAME]

/** One frame. `stream` is 0 for what belongs to no stream. */
export interface VmFrame {
  readonly type: number
  readonly stream: number
  readonly payload: Uint8Array
}

/** Bytes before a payload: `[type u8][0 u8][stream u16][length u32]`, little-endian. */
export const VM_FRAME_HEAD_BYTES = 8

/** Encodes one frame. The payload is copied. */
export function encodeVmFrame(
  type: VmFrameType,
  stream: number,
  payload: Uint8Array = new Uint8Array(0)
): Uint8Array<ArrayBuffer> {
  if (payload.byteLength > VM_FRAME_BYTES_MAX) {
    throw new RangeError(`expected at most ${VM_FRAME_BYTES_MAX} bytes, got ${payload.byteLength}`)
  }
  const frame = new Uint8Array(VM_FRAME_HEAD_BYTES + payload.byteLength)
  const view = new DataView(frame.buffer)
  view.setUint8(0, type)
  view.setUint16(2, stream, true)
  view.setUint32(4, payload.byteLength, true)
  frame.set(payload, VM_FRAME_HEAD_BYTES)
  return frame
}

/** Encodes a frame whose payload is one unsigned 32-bit number. */
export function encodeCredit(stream: number, bytes: number): Uint8Array<ArrayBuffer> {
  const payload = new Uint8Array(4)
  new DataView(payload.buffer).setUint32(0, bytes, true)
  return encodeVmFrame(VM_FRAME.credit, stream, payload)
}

/** Cuts the bytes of a channel into frames; holds at most one frame, whatever length is announced. */
export class VmFrameDecoder {
  readonly #head = new Uint8Array(VM_FRAME_HEAD_BYTES)
  readonly #headView = new DataView(this.#head.buffer)
  #headBytes = 0
  #payload: Uint8Array<ArrayBuffer> | undefined
  #payloadBytes = 0

  /**
   * Takes the next chunk and hands each frame it completed to `take`. A payload may be a view of the chunk, good until `take`
   * returns.
   *
   * @throws VmmError `ERR_VM_CHANNEL` for a head that cannot be; the decoder is then of no further use
   */
  push(chunk: Uint8Array, take: (frame: VmFrame) => void): void {
    let rest = chunk
    while (rest.byteLength > 0) {
      if (this.#headBytes < VM_FRAME_HEAD_BYTES) {
        rest = this.#fillHead(rest)
        if (this.#headBytes < VM_FRAME_HEAD_BYTES) return
        this.#checkHead()
      }
      const length = this.#headView.getUint32(4, true)
      const part = rest.subarray(0, length - this.#payloadBytes)
      rest = rest.subarray(part.byteLength)
      const payload = this.#joined(part, length)
      if (payload === undefined) return
      this.#headBytes = 0
      this.#payload = undefined
      this.#payloadBytes = 0
      take({ type: this.#head[0] ?? 0, stream: this.#headView.getUint16(2, true), payload })
    }
  }

  #fillHead(bytes: Uint8Array): Uint8Array {
    const part = bytes.subarray(0, VM_FRAME_HEAD_BYTES - this.#headBytes)
    this.#head.set(part, this.#headBytes)
    this.#headBytes += part.byteLength
    return bytes.subarray(part.byteLength)
  }

  #checkHead(): void {
    const length = this.#headView.getUint32(4, true)
    if (length > VM_FRAME_BYTES_MAX) {
      throw new VmmError(
        'ERR_VM_CHANNEL',
        `expected a frame of at most ${VM_FRAME_BYTES_MAX} bytes, got ${length}`
      )
    }
    if (this.#head[1] !== 0) throw new VmmError('ERR_VM_CHANNEL', 'expected a frame whose second byte is 0')
  }

  /** The whole payload when `part` completes it. */
  #joined(part: Uint8Array, length: number): Uint8Array | undefined {
    if (this.#payload === undefined && part.byteLength === length) return part
    this.#payload ??= new Uint8Array(length)
    this.#payload.set(part, this.#payloadBytes)
    this.#payloadBytes += part.byteLength
    return this.#payloadBytes === length ? this.#payload : undefined
  }
}
