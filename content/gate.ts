import { ContentError } from './errors.ts'
import type { BlockStore } from './block-store.ts'

/**
 * Who is at work. What an add, get or pin uses is held, so that a collection beside it spares it. Closing ends them.
 */
export class Gate implements AsyncDisposable {
  readonly #closing = new AbortController()
  readonly #inside = new Set<Promise<void>>()
  readonly #store: Pick<BlockStore, 'hold'>

  constructor(store: Pick<BlockStore, 'hold'>) {
    this.#store = store
  }

  /** Aborts when the gate closes. */
  get signal(): AbortSignal {
    return this.#closing.signal
  }

  /**
   * Enters; dispose what it gives to leave.
   *
   * @param kind - `stream` for what is pulled by a caller who may have gone without a word: closing does not
   *   wait for it, and it holds nothing
   *
   * @throws ContentError `ERR_CONTENT_CLOSED`; the reason of `signal` when it has aborted
   */
  async enter(
    signal?: AbortSignal,
    kind: 'task' | 'stream' = 'task'
  ): Promise<{ readonly signal: AbortSignal } & Disposable> {
    await Promise.resolve()
    this.#closing.signal.throwIfAborted()
    signal?.throwIfAborted()
    const left = Promise.withResolvers<undefined>()
    const visit: Promise<void> = left.promise.finally(() => this.#inside.delete(visit))
    this.#inside.add(visit)
    const hold = kind === 'task' ? this.#store.hold() : undefined
    if (kind === 'stream')
      this.signal.addEventListener('abort', () => left.resolve(undefined), { once: true })
    return {
      signal: signal === undefined ? this.#closing.signal : AbortSignal.any([signal, this.#closing.signal]),
      [Symbol.dispose]: () => {
        hold?.[Symbol.dispose]()
        left.resolve(undefined)
      }
    }
  }

  /** Aborts everybody inside and waits until they have left. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort(new ContentError('ERR_CONTENT_CLOSED', 'the node is stopping'))
    await Promise.all(this.#inside)
  }
}
