import { unclearedBytes } from '../files.ts'
import { CAR_BUFFER_BYTES } from './constants.ts'
import type { StoredFile } from '../files.ts'

/** A file, or a part of it, read from front to back. */
export class ByteSource {
  readonly #file: StoredFile
  readonly #buffer = unclearedBytes(CAR_BUFFER_BYTES)
  #start = 0
  #filled = 0
  /** Where the next byte comes from. */
  #position = 0
  #end: number

  constructor(file: StoredFile, end: number) {
    this.#file = file
    this.#end = end
  }

  /** Where it ends. */
  get end(): number {
    return this.#end
  }

  /** Goes on at `start` and ends at `end`, which is not behind the end until now. */
  async narrow(start: number, end: number): Promise<void> {
    this.#position = start
    this.#end = Math.min(end, this.#end)
    await Promise.resolve()
  }

  /** The next bytes, memory of their own; `undefined` when there are fewer. */
  async take(length: number): Promise<Uint8Array | undefined> {
    if (this.#position + length > this.#end) return undefined
    const bytes = unclearedBytes(length)
    let filled = 0
    while (filled < length) {
      const part = await this.#next()
      if (part.length === 0) return undefined
      const taken = part.subarray(0, length - filled)
      bytes.set(taken, filled)
      filled += taken.length
      this.#position += taken.length
    }
    return bytes
  }

  async #next(): Promise<Uint8Array> {
    const isInside = this.#position >= this.#start && this.#position < this.#start + this.#filled
    if (!isInside) {
      this.#start = this.#position
      const wanted = Math.min(this.#buffer.length, this.#end - this.#position)
      this.#filled = await this.#file.readAt(this.#buffer.subarray(0, wanted), this.#start)
    }
    return this.#buffer.subarray(this.#position - this.#start, this.#filled)
  }
}
