import { CAPSULE_CHANNEL_LIMITS, CodedError } from '#contracts'
import { STREAM_CREDIT } from './constants.ts'
import { Refusal, refusal } from './refusal.ts'

/** The capsule at the other end ended a stream with a code of its own. */
export class SenderFailed extends CodedError {}

/** What a stream says to the capsule at its other end. */
export interface StreamWire {
  /** False when the item fits no line; nothing was sent then. */
  next(item: unknown): boolean
  credit(count: number): void
  end(code: string | undefined): void
  close(): void
}

/** Items each side may send at first; a direction without is not there. */
export interface StreamInit {
  readonly sendable?: number
  readonly receivable?: number
}

/**
 * The host's end of one stream of a channel: items to the capsule as far as it allowed, items of the capsule as far as
 * we did. Everything that waits here is bounded by these two.
 */
export class ChannelStream {
  readonly #wire: StreamWire
  readonly #closed = new AbortController()
  readonly #received: unknown[] = []
  #sendable = 0
  #receivable: number
  #consumed = 0
  #wakeSender: (() => void) | undefined
  #wakeReader: (() => void) | undefined
  #receivedEnd: { readonly code: string | undefined } | undefined
  #hasSentEnd = false

  constructor(wire: StreamWire, { sendable, receivable }: StreamInit) {
    this.#wire = wire
    this.#sendable = sendable ?? 0
    this.#hasSentEnd = sendable === undefined
    this.#receivable = receivable ?? 0
    this.#receivedEnd = receivable === undefined ? { code: undefined } : undefined
  }

  /** Aborts when the stream is over in both directions, or one side wanted no more. */
  get closed(): AbortSignal {
    return this.#closed.signal
  }

  /** The capsule allows `count` more items. */
  allow(count: number): void {
    this.#sendable = Math.min(CAPSULE_CHANNEL_LIMITS.creditMax, this.#sendable + count)
    this.#wakeSender?.()
  }

  /** The capsule sent an item; one that was not allowed ends the stream. */
  take(item: unknown): void {
    if (this.closed.aborted || this.#receivedEnd !== undefined) return
    if (this.#receivable === 0) {
      this.abort(refusal('ERR_STREAM_CREDIT'))
      return
    }
    this.#receivable -= 1
    this.#received.push(item)
    this.#wakeReader?.()
  }

  /** The capsule has no more items. */
  takeEnd(code: string | undefined): void {
    this.#receivedEnd ??= { code }
    this.#wakeReader?.()
    this.#closeWhenOver()
  }

  /** The capsule wants no more of it. */
  takeClose(): void {
    this.#close(undefined)
  }

  /** Ends it from our side; the capsule learns the code. */
  abort(why: Refusal): void {
    if (this.closed.aborted) return
    if (!this.#hasSentEnd) this.#wire.end(why.code)
    this.#wire.close()
    this.#close(why)
  }

  /** Ends it without a word: the capsule is gone. */
  drop(why: unknown): void {
    this.#close(why)
  }

  /**
   * Sends all of `source` as far as the capsule allows, then the end. Never rejects; `codeOf` turns what the source
   * throws into the code the capsule learns.
   */
  async pump(source: AsyncIterable<unknown>, codeOf: (thrown: unknown) => Refusal): Promise<void> {
    const items = source[Symbol.asyncIterator]()
    // Not awaited: a source may never answer.
    const letGo = (): void => void Promise.resolve(items.return?.()).catch(() => undefined)
    this.closed.addEventListener('abort', letGo, { once: true })
    try {
      while (await this.#maySend()) {
        const next = await items.next()
        if (this.closed.aborted) return
        if (next.done === true) {
          this.#sendEnd(undefined)
          return
        }
        this.#sendable -= 1
        if (!this.#wire.next(next.value)) throw refusal('ERR_PROVIDER_ANSWER')
      }
    } catch (thrown) {
      this.#sendEnd(codeOf(thrown).code)
      this.abort(codeOf(thrown))
    } finally {
      this.closed.removeEventListener('abort', letGo)
      letGo()
    }
  }

  /** What the capsule sends, each item allowed anew when it was read. One reader. Throws when the stream fails. */
  async *received(): AsyncGenerator<unknown, void, undefined> {
    try {
      for (;;) {
        if (this.#received.length > 0) {
          const item = this.#received.shift()
          this.#allowMore()
          yield item
        } else if (this.#receivedEnd !== undefined) {
          if (this.#receivedEnd.code === undefined) return
          throw new SenderFailed(this.#receivedEnd.code, 'the sender ended the stream with a code')
        } else if (this.closed.aborted) {
          if (this.closed.reason instanceof Refusal) throw this.closed.reason
          return
        } else await this.#somethingReceived()
      }
    } finally {
      this.#received.length = 0
    }
  }

  /** The reader of {@link received} wants no more. */
  stopReceiving(): void {
    if (this.closed.aborted) return
    this.#wire.close()
    this.#close(undefined)
  }

  #allowMore(): void {
    this.#consumed += 1
    // Half a window at a time: a message for every item would cost as much as the items.
    if (this.#consumed * 2 < STREAM_CREDIT || this.closed.aborted || this.#receivedEnd !== undefined) return
    this.#receivable += this.#consumed
    this.#wire.credit(this.#consumed)
    this.#consumed = 0
  }

  #sendEnd(code: string | undefined): void {
    if (this.#hasSentEnd || this.closed.aborted) return
    this.#hasSentEnd = true
    this.#wire.end(code)
    this.#closeWhenOver()
  }

  #closeWhenOver(): void {
    if (this.#hasSentEnd && this.#receivedEnd !== undefined) this.#close(undefined)
  }

  #close(why: unknown): void {
    if (this.closed.aborted) return
    this.#closed.abort(why ?? new StreamOver())
    this.#wakeSender?.()
    this.#wakeReader?.()
  }

  async #maySend(): Promise<boolean> {
    while (this.#sendable === 0 && !this.closed.aborted) {
      await new Promise<void>((resolve) => (this.#wakeSender = resolve))
    }
    return !this.closed.aborted
  }

  async #somethingReceived(): Promise<void> {
    await new Promise<void>((resolve) => (this.#wakeReader = resolve))
  }
}

/** A stream ended as it should. */
class StreamOver extends Error {}
