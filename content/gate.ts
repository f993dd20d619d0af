import { ContentError } from './errors.ts'

/**
 * Who may work at the same time: any number of adds, gets and pins, or one garbage collection. Closing ends them.
 */
export class Gate implements AsyncDisposable {
  readonly #closing = new AbortController()
  readonly #inside = new Set<Promise<void>>()
  #collecting: Promise<void> | undefined

  /** Aborts when the gate closes. */
  get signal(): AbortSignal {
    return this.#closing.signal
  }

  /**
   * Enters; dispose what it gives to leave. Waits for a collection that is under way.
   *
   * @param kind - `stream` for what is pulled by a caller who may have gone without a word: closing does not
   *   wait for it
   *
   * @throws ContentError `ERR_CONTENT_CLOSED`; the reason of `signal` when it has aborted
   */
  async enter(
    signal?: AbortSignal,
    kind: 'task' | 'stream' = 'task'
  ): Promise<{ readonly signal: AbortSignal } & Disposable> {
    while (this.#collecting !== undefined) await this.#collecting
    this.#closing.signal.throwIfAborted()
    signal?.throwIfAborted()
    const left = Promise.withResolvers<undefined>()
    const visit: Promise<void> = left.promise.finally(() => this.#inside.delete(visit))
    this.#inside.add(visit)
    if (kind === 'stream')
      this.signal.addEventListener('abort', () => left.resolve(undefined), { once: true })
    return {
      signal: signal === undefined ? this.#closing.signal : AbortSignal.any([signal, this.#closing.signal]),
      [Symbol.dispose]: () => left.resolve(undefined)
    }
  }

  /**
   * Runs a collection while nobody else is inside.
   *
   * @throws ContentError `ERR_CONTENT_BUSY` when somebody is, `ERR_CONTENT_CLOSED`
   */
  async alone<T>(task: (signal: AbortSignal) => Promise<T>, signal?: AbortSignal): Promise<T> {
    this.#closing.signal.throwIfAborted()
    if (this.#collecting !== undefined || this.#inside.size > 0) {
      throw new ContentError(
        'ERR_CONTENT_BUSY',
        `expected no add, get or pin to run and ${this.#inside.size} do`
      )
    }
    const ended = Promise.withResolvers<undefined>()
    this.#collecting = ended.promise
    try {
      const either = signal === undefined ? this.signal : AbortSignal.any([signal, this.signal])
      return await task(either)
    } finally {
      this.#collecting = undefined
      ended.resolve(undefined)
    }
  }

  /** Aborts everybody inside and waits until they have left. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort(new ContentError('ERR_CONTENT_CLOSED', 'the node is stopping'))
    await this.#collecting
    await Promise.all(this.#inside)
  }
}
