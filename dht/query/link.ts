import type { Stream } from '@libp2p/interface'
import { DhtError } from '../errors.ts'
import { decodeMessage } from './codec.ts'
import type { KnownEntries } from './codec.ts'
import { ANSWER_BYTES_MAX } from './constants.ts'
import { createFrameReader } from './frames.ts'
import type { KadMessage } from './messages.ts'

/** Somebody who waits for the answer to what was sent. */
interface Waiter {
  readonly askedAtMs: number
  readonly resolve: (answer: KadMessage) => void
  readonly reject: (error: unknown) => void
}

/** A request that went under with its stream, through no fault of its own perhaps: worth one more try. */
export class LinkLostError extends DhtError {}

/** How a link begins. */
export interface LinkInit {
  readonly nowMs: number
  readonly onLost: (link: Link) => void
  /** Peers that answers name again and again. */
  readonly known?: KnownEntries | undefined
}

/**
 * One stream to a peer, on which messages follow each other. A peer answers them in the order they were sent, as every
 * implementation does: it reads a message, deals with it, answers, and reads the next.
 */
export class Link {
  /** When it was last used, on the clock of its pool. */
  usedAtMs: number
  readonly #stream: Stream
  readonly #waiting: Waiter[] = []
  #isLost = false
  #isEnding = false

  constructor(stream: Stream, o: LinkInit) {
    this.#stream = stream
    this.usedAtMs = o.nowMs
    const frames = createFrameReader(ANSWER_BYTES_MAX)
    stream.addEventListener('message', ({ data }) => {
      try {
        for (const frame of frames.push(data)) {
          // read first: who waits for an answer that is none fails with the stream
          const answer = decodeMessage(frame, o.known)
          this.#waiting.shift()?.resolve(answer)
        }
      } catch (error) {
        this.abort(error)
      }
    })
    const lose = (event: { readonly error?: Error }): void => {
      if (this.#isLost) return
      this.#isLost = true
      // nobody waits for most that end: they were idle
      for (const { reject } of this.#waiting.splice(0)) reject(lostError(event.error))
      o.onLost(this)
    }
    stream.addEventListener('close', lose)
    stream.addEventListener('remoteCloseWrite', () => {
      lose({})
      void stream.close().catch(() => undefined)
    })
    if (stream.status !== 'open') lose({})
  }

  /** How many answers are waited for. */
  get pending(): number {
    return this.#waiting.length
  }

  get isOpen(): boolean {
    return !this.#isLost
  }

  /**
   * Sends a request and resolves with its answer.
   *
   * @throws {@link LinkLostError}, or the reason of `signal`: what is given up is still answered, and the answer dropped,
   * for those behind it need theirs
   */
  ask(bytes: Uint8Array, nowMs: number, signal: AbortSignal): Promise<KadMessage> {
    if (this.#isLost) return Promise.reject(lostError())
    this.usedAtMs = nowMs
    return new Promise((resolve, reject) => {
      const onAbort = (): void => reject(signal.reason)
      signal.addEventListener('abort', onAbort, { once: true })
      this.#waiting.push({
        askedAtMs: nowMs,
        resolve: (answer) => {
          signal.removeEventListener('abort', onAbort)
          resolve(answer)
        },
        reject: (error) => {
          signal.removeEventListener('abort', onAbort)
          reject(error)
        }
      })
      this.#send(bytes)
    })
  }

  /** Ends it with an error when an answer has been waited for since before `sinceMs`. */
  expire(sinceMs: number, createError: () => DhtError): void {
    const [first] = this.#waiting
    if (first === undefined || first.askedAtMs > sinceMs) return
    const error = createError()
    for (const { reject } of this.#waiting.splice(0)) reject(error)
    this.abort(error)
  }

  /** Ends it, and whatever is waited for on it, at once. */
  abort(error: unknown): void {
    this.#stream.abort(error instanceof Error ? error : new Error('stream of the DHT given up'))
  }

  /** Ends it when nothing is waited for: in order, and at once where a peer has not done its part since the last time. */
  close(): void {
    if (this.#isEnding) {
      this.abort(new Error('stream of the DHT kept open by a peer'))
      return
    }
    this.#isEnding = true
    void this.#stream.close().catch(() => undefined)
  }

  #send(bytes: Uint8Array): void {
    try {
      this.#stream.send(bytes)
    } catch (error) {
      this.abort(error)
    }
  }
}

function lostError(cause?: Error): LinkLostError {
  return new LinkLostError('ERR_REQUEST_FAILED', 'expected an answer, the stream ended', { cause })
}
