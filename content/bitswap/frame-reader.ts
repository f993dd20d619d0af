import { MESSAGE_BYTES_MAX } from './constants.ts'
import { malformed } from './protobuf.ts'

/** A tiny chunk costs more than its bytes: no chunk counts for less than this. */
const CHUNK_COST_MIN = 512
const LENGTH_BYTES_MAX = 4

/** Counts the bytes of unfinished messages. */
export interface ReceiveBudget {
  /**
   * Takes `bytes`.
   *
   * @throws ContentError `ERR_BITSWAP_BUSY` when that is more than allowed
   */
  take(bytes: number): void
  /** Gives `bytes` back. */
  give(bytes: number): void
}

/** Cuts a stream of bytes into messages, each after its length as a varint. Holds nothing but one unfinished message. */
export class FrameReader implements Disposable {
  readonly #budget: ReceiveBudget
  readonly #onFrame: (chunks: readonly Uint8Array[]) => void
  #chunks: Uint8Array[] = []
  #taken = 0
  #needed = -1
  #length = 0
  #lengthBytes = 0

  constructor(init: { budget: ReceiveBudget; onFrame(this: void, chunks: readonly Uint8Array[]): void }) {
    this.#budget = init.budget
    this.#onFrame = init.onFrame
  }

  /**
   * Takes the next bytes and calls `onFrame` for each message that they finish.
   *
   * @throws ContentError `ERR_BITSWAP_MESSAGE` for a length that is none or too large, and whatever `onFrame` throws
   */
  push(chunk: Uint8Array): void {
    let at = 0
    while (at < chunk.byteLength) {
      if (this.#needed < 0) at = this.#readLength(chunk, at)
      else at = this.#readBody(chunk, at)
    }
  }

  [Symbol.dispose](): void {
    this.#reset()
  }

  #readLength(chunk: Uint8Array, start: number): number {
    for (let at = start; at < chunk.byteLength;) {
      const byte = chunk[at++] ?? 0
      this.#length += (byte & 0x7f) * 2 ** (7 * this.#lengthBytes++)
      const ends = byte < 0x80
      if (ends ? this.#length > MESSAGE_BYTES_MAX : this.#lengthBytes >= LENGTH_BYTES_MAX) {
        throw malformed(`a message of at most ${MESSAGE_BYTES_MAX} bytes`, 'a longer one')
      }
      if (ends) {
        this.#needed = this.#length
        if (this.#needed === 0) this.#finish()
        return at
      }
    }
    return chunk.byteLength
  }

  #readBody(chunk: Uint8Array, start: number): number {
    const part = chunk.subarray(start, start + this.#needed)
    const finishes = part.byteLength === this.#needed
    // A part that is small beside its buffer would keep all of that in memory while the message is unfinished.
    const sparse = !finishes && part.byteLength * 2 < part.buffer.byteLength
    if (!finishes) this.#take(Math.max(part.byteLength, CHUNK_COST_MIN))
    this.#chunks.push(sparse ? part.slice() : part)
    this.#needed -= part.byteLength
    if (finishes) this.#finish()
    return start + part.byteLength
  }

  #take(cost: number): void {
    this.#budget.take(cost)
    this.#taken += cost
  }

  #finish(): void {
    const chunks = this.#chunks
    this.#reset()
    this.#onFrame(chunks)
  }

  #reset(): void {
    this.#budget.give(this.#taken)
    this.#taken = 0
    this.#chunks = []
    this.#needed = -1
    this.#length = 0
    this.#lengthBytes = 0
  }
}
