import { unclearedBytes } from './files.ts'

/** The system gives memory when it is touched, so much at a time. */
const PAGE_BYTES = 4_096

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

  /**
   * Has the system give the first so many bytes of the slab that is taken next, unless they were used before: better while nothing
   * comes than when what comes is waited for. Only where slabs are kept.
   */
  prepare(bytes: number): void {
    if (this.#free.length > 0 || this.#keptMax === 0) return
    const next = unclearedBytes(this.slabBytes)
    for (let at = 0; at < Math.min(bytes, next.length); at += PAGE_BYTES) next[at] = 0
    this.#free.push(next)
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
