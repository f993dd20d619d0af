/** One who waits for a block. */
interface Waiter extends PromiseWithResolvers<Uint8Array | undefined> {
  readonly sinceMs: number
  /** Somebody wants to read it, not only to have it stored. */
  isRead: boolean
}

/** Waits of the patience after which whoever waits looks elsewhere although others get their blocks. */
const PATIENCES_MAX = 4

/** Who waits for the blocks of a fetch; those who wait for the same block are answered together. */
export class Waiters {
  readonly #waiters = new Map<string, Waiter>()

  /** Blocks that are waited for. */
  get size(): number {
    return this.#waiters.size
  }

  /** Their keys now. */
  keys(): string[] {
    return [...this.#waiters.keys()]
  }

  /** Whether that block is waited for. */
  has(key: string): boolean {
    return this.#waiters.has(key)
  }

  /** What is wanted of that block: nothing, its bytes, or only that it is here. */
  wants(key: string): 'not' | 'bytes' | 'unread' {
    const waiter = this.#waiters.get(key)
    return waiter === undefined ? 'not' : waiter.isRead ? 'bytes' : 'unread'
  }

  /** Joins those who wait for that block, if there are some. */
  join(key: string, isRead: boolean): Promise<Uint8Array | undefined> | undefined {
    const known = this.#waiters.get(key)
    if (known !== undefined) known.isRead ||= isRead
    return known?.promise
  }

  /** Waits; resolves with what {@link answer} is given. */
  async add(key: string, o: { isRead: boolean; sinceMs: number }): Promise<Uint8Array | undefined> {
    const waiter = { ...Promise.withResolvers<Uint8Array | undefined>(), ...o }
    this.#waiters.set(key, waiter)
    return await waiter.promise
  }

  /** Ends the wait for that block; returns whether there was one. */
  answer(key: string, bytes: Uint8Array | undefined): void {
    const waiter = this.#waiters.get(key)
    this.#waiters.delete(key)
    waiter?.resolve(bytes)
  }

  /** Ends every wait with a failure. */
  fail(reason: unknown): void {
    for (const waiter of this.#waiters.values()) waiter.reject(reason)
    this.#waiters.clear()
  }

  /** Those who have waited for longer than patience lasts, which is longer while others get their blocks. */
  impatient(o: { nowMs: number; patienceMs: number; isQuiet: boolean }): string[] {
    const enoughMs = o.isQuiet ? o.patienceMs : PATIENCES_MAX * o.patienceMs
    return this.keys().filter((key) => o.nowMs - (this.#waiters.get(key)?.sinceMs ?? o.nowMs) > enoughMs)
  }
}
