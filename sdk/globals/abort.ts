type Listener = ((event: { readonly type: 'abort' }) => void) | { handleEvent(event: unknown): void }

const MAY_CREATE = Symbol('may create')

/** `AbortSignal` of the DOM Standard without the rest of `EventTarget`: `abort` is all it tells. */
export class AbortSignal {
  onabort: Listener | null = null
  #reason: unknown = undefined
  #isAborted = false
  readonly #listeners = new Map<Listener, { readonly isOnce: boolean }>()

  constructor(key?: symbol) {
    if (key !== MAY_CREATE) throw new TypeError('Illegal constructor')
  }

  /** A signal that is aborted already. */
  static abort(reason?: unknown): AbortSignal {
    const controller = new AbortController()
    controller.abort(reason)
    return controller.signal
  }

  /** A signal that aborts after `delayMs`. */
  static timeout(delayMs: number): AbortSignal {
    const controller = new AbortController()
    const { setTimeout: schedule } = globalThis
    schedule(() => controller.abort(abortError('TimeoutError', 'the time is over')), delayMs)
    return controller.signal
  }

  /** A signal that aborts with the first of `signals`. */
  static any(signals: Iterable<AbortSignal>): AbortSignal {
    const controller = new AbortController()
    for (const signal of signals) {
      if (signal.aborted) controller.abort(signal.reason)
      else signal.addEventListener('abort', () => controller.abort(signal.reason), { once: true })
    }
    return controller.signal
  }

  get aborted(): boolean {
    return this.#isAborted
  }

  get reason(): unknown {
    return this.#reason
  }

  throwIfAborted(): void {
    if (this.#isAborted) throw this.#reason
  }

  addEventListener(type: string, listener: Listener, options?: boolean | { once?: boolean }): void {
    if (type !== 'abort') return
    this.#listeners.set(listener, { isOnce: typeof options === 'object' && options.once === true })
  }

  removeEventListener(type: string, listener: Listener): void {
    if (type === 'abort') this.#listeners.delete(listener)
  }

  /** Aborts it, for its controller. */
  static tell(signal: AbortSignal, reason: unknown): void {
    if (signal.#isAborted) return
    signal.#isAborted = true
    signal.#reason = reason
    const listeners = [...signal.#listeners]
    signal.#listeners.clear()
    if (signal.onabort !== null) listeners.unshift([signal.onabort, { isOnce: false }])
    for (const [listener] of listeners) {
      if (typeof listener === 'function') listener.call(signal, { type: 'abort' })
      else listener.handleEvent({ type: 'abort' })
    }
  }

  static create(): AbortSignal {
    return new AbortSignal(MAY_CREATE)
  }
}

/** `AbortController` of the DOM Standard. */
export class AbortController {
  readonly signal: AbortSignal = AbortSignal.create()

  abort(reason: unknown = abortError('AbortError', 'this was aborted')): void {
    AbortSignal.tell(this.signal, reason)
  }
}

function abortError(name: string, message: string): Error {
  const error = new Error(message)
  error.name = name
  return error
}
