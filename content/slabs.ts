import { unclearedBytes } from './files.ts'

/**
 * Memory that is used again and again: fresh memory costs the system a page fault for every 4 KiB, and the engine a
 * collection for every few dozen mebibytes, which together is as much as hashing what is put there.
 */
export class Slabs {
  readonly slabBytes: number
  readonly #keptMax: number
  readonly #free: Uint8Array<ArrayBuffer>[] = []

  /** Slabs of that size, of which so many are kept for the next who wants one. */
  constructor(o: { slabBytes: number; keptMax: number }) {
    this.slabBytes = o.slabBytes
    this.#keptMax = o.keptMax
  }

  /** A slab, held once. Its bytes are whatever was there before. */
  take(): Slab {
    const bytes = this.#free.pop() ?? unclearedBytes(this.slabBytes)
    return new Slab(bytes, () => {
      if (this.#free.length < this.#keptMax) this.#free.push(bytes)
    })
  }
}

/**
 * One piece of memory with several parts in use. Whoever hands a part on to somebody who does not say when it is done with
 * it just never releases it: the memory is then that somebody's, as any other.
 */
export class Slab {
  readonly bytes: Uint8Array<ArrayBuffer>
  readonly #onFree: () => void
  #holds = 1

  /** See {@link Slabs.take}. */
  constructor(bytes: Uint8Array<ArrayBuffer>, onFree: () => void) {
    this.bytes = bytes
    this.#onFree = onFree
  }

  /** Keeps the memory as it is until what is returned is called, once or more often. */
  hold(): () => void {
    this.#holds++
    let isHeld = true
    return () => {
      if (!isHeld) return
      isHeld = false
      this.release()
    }
  }

  /** Ends one hold; nobody may use the memory after the last. */
  release(): void {
    if (--this.#holds === 0) this.#onFree()
  }
}
