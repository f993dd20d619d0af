/** Bytes on their way, in the order they came, in memory of a fixed size that is taken with the first of them. */
export class ByteRing {
  readonly #bytesMax: number
  #memory: Uint8Array<ArrayBuffer> | undefined
  #start = 0
  #length = 0

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax
  }

  /** Bytes that are held. */
  get length(): number {
    return this.#length
  }

  /** Takes a copy of `bytes`, which must fit beside what is held. */
  push(bytes: Uint8Array): void {
    if (this.#length + bytes.byteLength > this.#bytesMax) throw new RangeError('expected room for the bytes')
    this.#memory ??= new Uint8Array(this.#bytesMax)
    const at = (this.#start + this.#length) % this.#bytesMax
    const first = bytes.subarray(0, this.#bytesMax - at)
    this.#memory.set(first, at)
    this.#memory.set(bytes.subarray(first.byteLength), 0)
    this.#length += bytes.byteLength
  }

  /** Gives up to `bytesMax` bytes away, the oldest first; they are the caller's own. */
  take(bytesMax: number): Uint8Array<ArrayBuffer> {
    const length = Math.min(bytesMax, this.#length)
    const bytes = new Uint8Array(length)
    if (this.#memory === undefined) return bytes
    const first = this.#memory.subarray(this.#start, Math.min(this.#start + length, this.#bytesMax))
    bytes.set(first, 0)
    bytes.set(this.#memory.subarray(0, length - first.byteLength), first.byteLength)
    this.#start = (this.#start + length) % this.#bytesMax
    this.#length -= length
    return bytes
  }

  /** Drops what is held and lets go of the memory. */
  clear(): void {
    this.#memory = undefined
    this.#start = 0
    this.#length = 0
  }
}
