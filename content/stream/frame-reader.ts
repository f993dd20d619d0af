import { Slabs } from '../slabs.ts'
import type { Slab } from '../slabs.ts'
import { FRAME_HEADER_BYTES, PAGE_BYTES, SLAB_BYTES, SMALL_BLOCK_BYTES } from './constants.ts'
import { decodeFrame, payloadLength } from './frames.ts'
import type { Frame } from './frames.ts'

/**
 * Cuts what comes into frames. Bytes are copied once, into large pieces of memory of which a block's bytes are then a
 * part, so that a block lies in one piece however it arrived.
 *
 * At most one unfinished frame is held, of the size that its header was allowed to name.
 */
export class FrameReader {
  readonly #onFrame: (frame: Frame) => void
  readonly #slabs: Slabs
  readonly #header = new Uint8Array(FRAME_HEADER_BYTES)
  #headerBytes = 0
  /** Bytes of the payload that is being read; `undefined` while the header is. */
  #length: number | undefined
  #slab: Slab | undefined
  /** Where in the slab the payload begins, and how many bytes of it are there. */
  #start = 0
  #filled = 0

  /** @param slabs - memory that is shared with others; of its own when absent */
  constructor(
    onFrame: (frame: Frame) => void,
    slabs: Slabs = new Slabs({ slabBytes: SLAB_BYTES, keptMax: 0 })
  ) {
    this.#onFrame = onFrame
    this.#slabs = slabs
  }

  /** Whether it is between two frames. */
  get isBetween(): boolean {
    return this.#length === undefined && this.#headerBytes === 0
  }

  /**
   * Has the system give the memory that the next so many bytes of a block go to, unless one is coming already: better while
   * nothing comes than when what comes is waited for.
   */
  prepare(bytes: number): void {
    const memory = this.#slab?.bytes
    if (memory === undefined || !this.isBetween) return
    const end = Math.min(this.#start + bytes, memory.length)
    for (let at = this.#start; at < end; at += PAGE_BYTES) memory[at] = 0
  }

  /**
   * Takes the next bytes and calls back for every frame that they complete.
   *
   * @throws ContentError `ERR_DAG_STREAM_FRAME`; whatever `onFrame` throws. It is of no use afterwards
   */
  push(bytes: Uint8Array): void {
    let at = 0
    while (at < bytes.length || this.#length === 0) {
      if (this.#length === undefined) {
        at += this.#readHeader(bytes, at)
        continue
      }
      const count = Math.min(this.#length - this.#filled, bytes.length - at)
      this.#slab?.bytes.set(
        count === bytes.length ? bytes : bytes.subarray(at, at + count),
        this.#start + this.#filled
      )
      at += count
      this.#filled += count
      if (this.#filled === this.#length) this.#finish(this.#length)
    }
  }

  #readHeader(bytes: Uint8Array, at: number): number {
    const count = Math.min(FRAME_HEADER_BYTES - this.#headerBytes, bytes.length - at)
    this.#header.set(bytes.subarray(at, at + count), this.#headerBytes)
    this.#headerBytes += count
    if (this.#headerBytes === FRAME_HEADER_BYTES) {
      this.#length = payloadLength(this.#header)
      this.#makeRoom(this.#length)
    }
    return count
  }

  #makeRoom(length: number): void {
    this.#filled = 0
    if (this.#slab !== undefined && this.#start + length <= this.#slab.bytes.length) return
    this.#slab?.release()
    this.#slab = this.#slabs.take()
    this.#start = 0
  }

  #finish(length: number): void {
    const end = this.#start + length
    const slab = this.#slab as Slab
    const payload = slab.bytes.subarray(this.#start, end)
    const isCopied = length <= SMALL_BLOCK_BYTES
    // What was copied out leaves its place to the next frame.
    if (!isCopied) this.#start = end
    this.#length = undefined
    this.#headerBytes = 0
    const frame = decodeFrame(this.#header, isCopied ? payload.slice() : payload)
    this.#onFrame(frame.type === 'block' && !isCopied ? { ...frame, release: slab.hold() } : frame)
  }
}
