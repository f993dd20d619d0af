import { CAPSULE_CHANNEL_LIMITS, type CapsuleMethods, type HostNotifications } from '#capsule-channel'
import type { Connection } from './connection.ts'
import { CapsuleCallError, codeOf } from './errors.ts'

/** Items the other side may be ahead, on one stream. */
const WINDOW: number = CAPSULE_CHANNEL_LIMITS.creditMax

/**
 * One stream of the runtime channel: items that come are iterated, items that go wait until they are allowed. Ending the
 * iteration, or disposing it, closes the stream.
 */
export interface CapsuleStream<Item = unknown, Input = never> extends AsyncIterable<Item>, Disposable {
  /** Sends one item; waits until the other side allows it. @throws CapsuleCallError when the stream is over */
  send(item: Input): Promise<void>
  /** Says that no more items go; those that come still do. */
  end(): void
  /** Ends both directions. */
  close(): void
  /** Aborts when the stream is over in both directions. */
  readonly closed: AbortSignal
}

/** The streams of one connection. */
export class StreamTable {
  readonly #connection: Connection
  readonly #streams = new Map<number, OpenStream>()
  #isListening = false

  constructor(connection: Connection) {
    this.#connection = connection
  }

  /** Credit to offer when a stream is opened. */
  get window(): number {
    return WINDOW
  }

  /**
   * Opens a stream with `method`. It is taken up as soon as the host has numbered it: its first items may come with the
   * answer.
   *
   * @throws CapsuleCallError
   */
  async open(
    method: 'provider.open' | 'power.open',
    params: CapsuleMethods['provider.open']['params'],
    options: { signal?: AbortSignal | undefined }
  ): Promise<OpenStream> {
    let opened: OpenStream | undefined
    await this.#connection.request(
      method,
      { ...params, credit: WINDOW },
      {
        signal: options.signal,
        onResult: ({ stream, credit }) => {
          opened = this.add(stream, { sendable: credit, isReceiving: true })
        }
      }
    )
    if (opened === undefined) throw new CapsuleCallError('ERR_INTERNAL', 'expected a stream to be opened')
    return opened
  }

  /** Takes up a stream that the host has numbered. */
  add(number: number, init: StreamInit): OpenStream {
    this.#listen()
    const stream = new OpenStream(this.#connection, number, init)
    this.#streams.set(number, stream)
    stream.closed.addEventListener('abort', () => this.#streams.delete(number), { once: true })
    return stream
  }

  /** A stream that was opened at this capsule with a number the host chose. */
  #listen(): void {
    if (this.#isListening) return
    this.#isListening = true
    const on = <N extends 'stream.next' | 'stream.credit' | 'stream.end' | 'stream.close'>(
      method: N,
      act: (stream: OpenStream, params: HostNotifications[N]) => void
    ): void => {
      this.#connection.on(method, (params) => {
        const stream = this.#streams.get(params.stream)
        if (stream !== undefined) act(stream, params)
      })
    }
    on('stream.next', (stream, { item }) => stream.take(item))
    on('stream.credit', (stream, { credit }) => stream.allow(credit))
    on('stream.end', (stream, { code }) => stream.takeEnd(code))
    on('stream.close', (stream) => stream.takeClose())
  }
}

/** Items each side may send at first. */
export interface StreamInit {
  readonly sendable: number
  /** False for a stream on which nothing comes. */
  readonly isReceiving: boolean
}

/** A {@link CapsuleStream} and its other side. */
export class OpenStream implements CapsuleStream<unknown, unknown> {
  readonly #connection: Connection
  readonly #number: number
  readonly #release: () => void
  readonly #over = new AbortController()
  readonly #received: unknown[] = []
  #sendable: number
  #consumed = 0
  #receivedEnd: { readonly code: string | undefined } | undefined
  #hasEnded = false
  readonly #wakeSenders: (() => void)[] = []
  #wakeReader: (() => void) | undefined

  constructor(connection: Connection, number: number, init: StreamInit) {
    this.#connection = connection
    this.#number = number
    this.#sendable = init.sendable
    if (!init.isReceiving) this.#receivedEnd = { code: undefined }
    this.#release = connection.hold()
    const gone = (): void => {
      this.takeEnd('ERR_SESSION_ENDED')
      this.takeClose()
    }
    connection.closed.addEventListener('abort', gone, { once: true })
    this.closed.addEventListener('abort', () => connection.closed.removeEventListener('abort', gone), {
      once: true
    })
  }

  get closed(): AbortSignal {
    return this.#over.signal
  }

  async send(item: unknown): Promise<void> {
    while (this.#sendable === 0 && !this.closed.aborted && !this.#hasEnded) {
      await new Promise<void>((resolve) => this.#wakeSenders.push(resolve))
    }
    if (this.closed.aborted || this.#hasEnded)
      throw new CapsuleCallError('ERR_STREAM_ENDED', 'the stream is over')
    this.#sendable -= 1
    this.#connection.tell('stream.next', { stream: this.#number, item })
  }

  end(): void {
    this.endWith(undefined)
  }

  /** Ends what goes, because of a failure when there is a code. */
  endWith(code: string | undefined): void {
    if (this.#hasEnded || this.closed.aborted) return
    this.#hasEnded = true
    this.#connection.tell('stream.end', { stream: this.#number, ...(code === undefined ? {} : { code }) })
    this.#closeWhenOver()
  }

  close(): void {
    if (this.closed.aborted) return
    this.#connection.tell('stream.close', { stream: this.#number })
    this.takeClose()
  }

  [Symbol.dispose](): void {
    this.close()
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<unknown, void, undefined> {
    try {
      for (;;) {
        if (this.#received.length > 0) {
          const item = this.#received.shift()
          this.#allowMore()
          yield item
        } else if (this.#receivedEnd !== undefined) {
          const { code } = this.#receivedEnd
          if (code === undefined) return
          throw new CapsuleCallError(code, 'the stream was ended because of a failure')
        } else if (this.closed.aborted) return
        else await new Promise<void>((resolve) => (this.#wakeReader = resolve))
      }
    } finally {
      this.close()
    }
  }

  /** Sends all of `source`, then the end; a failure of the source ends the stream with its code. Never rejects. */
  async pump(source: AsyncIterable<unknown>): Promise<void> {
    const items = source[Symbol.asyncIterator]()
    this.closed.addEventListener('abort', () => void items.return?.(), { once: true })
    try {
      for (;;) {
        const next = await items.next()
        if (this.closed.aborted) return
        if (next.done === true) break
        await this.send(next.value)
      }
      this.end()
    } catch (thrown) {
      if (this.closed.aborted) return
      if (codeOf(thrown) === undefined) console.error(thrown)
      this.endWith(codeOf(thrown) ?? 'ERR_PROVIDER_FAILED')
    }
  }

  /** The host sent an item. */
  take(item: unknown): void {
    this.#received.push(item)
    this.#wakeReader?.()
  }

  /** The host allows `count` more items. */
  allow(count: number): void {
    this.#sendable += count
    for (const wake of this.#wakeSenders.splice(0)) wake()
  }

  /** The host has no more items. */
  takeEnd(code: string | undefined): void {
    this.#receivedEnd ??= { code }
    this.#wakeReader?.()
    this.#closeWhenOver()
  }

  /** The stream is over in both directions. */
  takeClose(): void {
    if (this.closed.aborted) return
    this.#over.abort(new CapsuleCallError('ERR_STREAM_ENDED', 'the stream is over'))
    this.#release()
    for (const wake of this.#wakeSenders.splice(0)) wake()
    this.#wakeReader?.()
  }

  #closeWhenOver(): void {
    if (this.#hasEnded && this.#receivedEnd !== undefined) this.takeClose()
  }

  #allowMore(): void {
    this.#consumed += 1
    // Half a window at a time: a message for every item would cost as much as the items.
    if (this.#consumed * 2 < WINDOW || this.closed.aborted || this.#receivedEnd !== undefined) return
    this.#connection.tell('stream.credit', { stream: this.#number, credit: this.#consumed })
    this.#consumed = 0
  }
}
