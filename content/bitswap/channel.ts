import type { Clock } from '#contracts'
import type { Stream } from '@libp2p/interface'
import { ContentError } from '../errors.ts'
import type { FlowChannel } from '../flow/index.ts'
import { BITSWAP_120, MESSAGE_BYTES_MAX } from './constants.ts'
import type { BitswapLimits } from './limits.ts'
import { keyOfBytes, type BlockKey } from './block-key.ts'
import { encodeMessage, wantEntryLength, type BitswapMessage, type WantEntry } from './message.ts'

/** What a server answers in one message. */
export type Answer = Pick<BitswapMessage, 'blocks' | 'presences'>

/** Bytes of one message that wants may take, so that answers always fit beside them. */
const WANTS_BYTES_MAX = MESSAGE_BYTES_MAX / 4

/** Parts below this are copied together before they are written. */
const SMALL_PART_BYTES = 16 * 1024

interface QueuedAnswer extends Answer {
  readonly sent: PromiseWithResolvers<void>
}

interface OutgoingMessage {
  readonly message: BitswapMessage
  readonly answer: QueuedAnswer | undefined
}

/** Collaborators of a {@link Channel}. */
export interface ChannelComponents {
  readonly clock: Clock
  /** Opens a stream to the peer. */
  openStream(signal: AbortSignal): Promise<Stream>
  /** Says when how much may be sent; the channel disposes it. */
  readonly flow?: FlowChannel | undefined
  /** Called when something could not be sent; wants sent before may be lost as well. */
  onLost(this: void, cause: unknown): void
}

/** The limits that a channel observes. */
export type ChannelLimits = Pick<
  BitswapLimits,
  'streamOpenTimeoutMs' | 'sendStallTimeoutMs' | 'streamIdleMs' | 'sendQueueMax'
>

/**
 * What we send to one peer: one stream, opened when there is something to say, kept while there is more, and
 * closed when idle. Wants gather until the next microtask and go in one message; answers go one after the other,
 * each only when the stream has taken the one before.
 */
export class Channel implements Disposable {
  readonly #components: ChannelComponents
  readonly #limits: ChannelLimits
  readonly #stop = new AbortController()
  #wants = new Map<BlockKey, WantEntry>()
  #answers: QueuedAnswer[] = []
  #stream: Stream | undefined
  #idle: Disposable | undefined
  #sending = false
  #wake: (() => void) | undefined

  constructor(components: ChannelComponents, limits: ChannelLimits) {
    this.#components = components
    this.#limits = limits
  }

  /** Sends a want, or with `cancel` withdraws one; the latest of a CID wins. */
  want(entry: WantEntry): void {
    const key = keyOfBytes(entry.cid)
    this.#wants.delete(key)
    this.#wants.set(key, entry)
    this.#start()
  }

  /**
   * Sends blocks and presences.
   *
   * @returns when the stream has taken every byte
   * @throws ContentError `ERR_BITSWAP_SEND` when that is not possible or the queue is full
   */
  async answer(answer: Answer): Promise<void> {
    if (this.#stop.signal.aborted || this.#answers.length >= this.#limits.sendQueueMax) {
      throw new ContentError('ERR_BITSWAP_SEND', 'expected room in the queue of a connected peer')
    }
    const sent = Promise.withResolvers<void>()
    this.#answers.push({ ...answer, sent })
    this.#start()
    await sent.promise
  }

  /** How long the peer has not taken what it was sent, in milliseconds; `undefined` where nobody counts. */
  get stalledMs(): number | undefined {
    return this.#components.flow?.stalledMs()
  }

  [Symbol.dispose](): void {
    this.#stop.abort()
    this.#components.flow?.[Symbol.dispose]()
    this.#fail(new ContentError('ERR_BITSWAP_SEND', 'the peer is gone'))
  }

  #start(): void {
    if (this.#sending || this.#stop.signal.aborted) return
    this.#sending = true
    this.#idle?.[Symbol.dispose]()
    queueMicrotask(() => {
      void this.#sendAll()
    })
  }

  async #sendAll(): Promise<void> {
    try {
      while (this.#wants.size > 0 || this.#answers.length > 0) await this.#sendNext()
      this.#idle = this.#components.clock.after(this.#limits.streamIdleMs, () => {
        this.#close()
      })
    } catch (cause) {
      this.#fail(cause)
      if (!this.#stop.signal.aborted) this.#components.onLost(cause)
    } finally {
      this.#sending = false
    }
  }

  /** A stream kept from before may have died unnoticed: then, and only then, the message is sent once more. */
  async #sendNext(): Promise<void> {
    const kept = this.#openStream()
    const stream = kept ?? (await this.#open())
    const next = this.#take()
    try {
      await this.#send(stream, next)
    } catch (cause) {
      stream.abort(toError(cause))
      if (kept === undefined || this.#stop.signal.aborted) {
        next.answer?.sent.reject(toError(cause))
        throw cause
      }
      await this.#sendOnce(next)
    }
    next.answer?.sent.resolve()
  }

  async #sendOnce(next: OutgoingMessage): Promise<void> {
    try {
      await this.#send(await this.#open(), next)
    } catch (cause) {
      next.answer?.sent.reject(toError(cause))
      throw cause
    }
  }

  #openStream(): Stream | undefined {
    return this.#stream?.writeStatus === 'writable' ? this.#stream : undefined
  }

  async #open(): Promise<Stream> {
    const deadline = new AbortController()
    using _timer = this.#components.clock.after(this.#limits.streamOpenTimeoutMs, () => {
      deadline.abort(new ContentError('ERR_BITSWAP_SEND', 'the peer opened no stream in time'))
    })
    const signal = AbortSignal.any([deadline.signal, this.#stop.signal])
    const stream = await this.#components.openStream(signal)
    signal.throwIfAborted()
    const wake = (): void => this.#wake?.()
    stream.addEventListener('drain', wake)
    stream.addEventListener('idle', wake)
    stream.addEventListener('close', wake)
    // We never read what the other side might write here; closing discards it instead of buffering it.
    await stream.closeRead({ signal })
    this.#stream = stream
    return stream
  }

  #take(): OutgoingMessage {
    const wants: WantEntry[] = []
    let bytes = 0
    for (const [key, entry] of this.#wants) {
      bytes += wantEntryLength(entry)
      if (bytes > WANTS_BYTES_MAX && wants.length > 0) break
      wants.push(entry)
      this.#wants.delete(key)
    }
    const answer = this.#answers.shift()
    const { blocks = [], presences = [] } = answer ?? {}
    return { message: { wants, full: false, blocks, presences, pendingBytes: 0 }, answer }
  }

  async #send(stream: Stream, { message, answer }: OutgoingMessage): Promise<void> {
    const parts = encodeMessage(message, stream.protocol === '' ? BITSWAP_120 : stream.protocol)
    const { flow } = this.#components
    for (const { bytes, pieces } of batches(joinSmall(parts), flow?.pieceBytes ?? Infinity)) {
      using _lease = await flow?.send(bytes, this.#stop.signal)
      for (const piece of pieces) stream.send(piece)
      if (answer !== undefined || stream.writableNeedsDrain) await this.#drained(stream)
    }
  }

  /**
   * Resolves once the stream has passed on all it was given. `stream.onDrain` is no use here: it resolves on the
   * first window update, with most of a large message still in the buffer, and after its first use always at once.
   */
  async #drained(stream: Stream): Promise<void> {
    const { clock } = this.#components
    while (stream.writeBufferLength > 0 || stream.writableNeedsDrain) {
      if (stream.writeStatus !== 'writable') {
        throw new ContentError('ERR_BITSWAP_SEND', 'the stream ended before all was sent')
      }
      const moved = Promise.withResolvers<void>()
      this.#wake = moved.resolve
      using _timer = clock.after(this.#limits.sendStallTimeoutMs, () => {
        moved.reject(new ContentError('ERR_BITSWAP_SEND', 'the peer takes no more bytes'))
      })
      await moved.promise
    }
    if (stream.status !== 'open' && stream.status !== 'closing' && stream.status !== 'closed') {
      throw new ContentError('ERR_BITSWAP_SEND', `the stream was ${stream.status}`)
    }
  }

  #close(): void {
    const stream = this.#stream
    this.#stream = undefined
    if (stream === undefined) return
    stream.close({ signal: this.#stop.signal }).catch((cause: unknown) => {
      stream.abort(toError(cause))
    })
  }

  #fail(cause: unknown): void {
    this.#idle?.[Symbol.dispose]()
    this.#wake?.()
    const answers = this.#answers
    this.#answers = []
    this.#wants.clear()
    for (const { sent } of answers) sent.reject(toError(cause))
    this.#stream?.abort(toError(cause))
    this.#stream = undefined
  }
}

/** Joins neighbouring small parts: each write becomes a frame of its own, and copying a large part costs more. */
function joinSmall(parts: readonly Uint8Array[]): Uint8Array[] {
  const joined: Uint8Array[] = []
  let small: Uint8Array[] = []
  for (const part of [...parts, undefined]) {
    if (part !== undefined && part.byteLength < SMALL_PART_BYTES) {
      small.push(part)
      continue
    }
    if (small.length > 0) joined.push(small.length === 1 && small[0] ? small[0] : Buffer.concat(small))
    small = []
    if (part !== undefined) joined.push(part)
  }
  return joined
}

/** The parts in groups of at most `bytesMax`, a longer part cut. */
function* batches(
  parts: readonly Uint8Array[],
  bytesMax: number
): Generator<{ bytes: number; pieces: Uint8Array[] }> {
  let batch = { bytes: 0, pieces: [] as Uint8Array[] }
  for (const part of parts) {
    for (let at = 0; at < part.byteLength;) {
      const piece = part.subarray(at, at + bytesMax - batch.bytes)
      batch.pieces.push(piece)
      batch.bytes += piece.byteLength
      at += piece.byteLength
      if (batch.bytes < bytesMax) continue
      yield batch
      batch = { bytes: 0, pieces: [] }
    }
  }
  if (batch.bytes > 0) yield batch
}

function toError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error(String(thrown))
}
