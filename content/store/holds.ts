/**
 * What is in use while a collection runs. Every use of a block is marked with a time that counts holds; a
 * collection spares whatever was used since the oldest hold that was open when it began.
 */
export class Holds {
  #now = 1
  /** When the open ones began, the oldest first. */
  readonly #open = new Set<number>()

  /** The mark of what is used now. */
  get now(): number {
    return this.#now
  }

  /** Spares what is used from now until it is disposed, and longer from a collection that has begun by then. */
  hold(): Disposable {
    const begun = ++this.#now
    this.#open.add(begun)
    return { [Symbol.dispose]: () => void this.#open.delete(begun) }
  }

  /** Begins a collection: what has a lower mark than this may go when nothing keeps it. */
  begin(): number {
    const now = ++this.#now
    const [oldest = now] = this.#open
    return oldest
  }
}
