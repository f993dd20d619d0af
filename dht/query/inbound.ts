import type { Connection, Stream } from '@libp2p/interface'
import type { Clock } from '#contracts'
import { decodeMessage, encodeMessage } from './codec.ts'
import {
  IDLE_CHECK_INTERVAL_MS,
  IDLE_INBOUND_STREAM_MS,
  INBOUND_QUEUE_BYTES_MAX,
  REQUEST_BYTES_MAX
} from './constants.ts'
import { createFrameReader } from './frames.ts'
import type { FrameReader } from './frames.ts'
import type { KadMessage } from './messages.ts'
import type { BookPeer, PeerBook } from './peer-book.ts'

/** Answers one message of a peer: nothing for those that have no answer; throws when it refuses. */
export type AnswerMessage = (
  peer: BookPeer,
  message: KadMessage
) => KadMessage | undefined | Promise<KadMessage | undefined>

/** What serving streams needs. */
export interface InboundComponents {
  readonly book: PeerBook
  readonly answer: AnswerMessage
  readonly clock: Clock
}

/** Serves the streams that peers open. */
export interface InboundStreams extends Disposable {
  /** Takes a stream: answers the messages on it, one after the other, until it ends or is idle for long. */
  serve(stream: Stream, connection: Pick<Connection, 'remotePeer'>): void
}

/** Starts serving streams. */
export function startInboundStreams(components: InboundComponents): InboundStreams {
  const { clock, book } = components
  const streams = new Set<InboundStream>()
  const idleCheck = clock.every(IDLE_CHECK_INTERVAL_MS, () => {
    const oldestMs = clock.monotonicMs() - IDLE_INBOUND_STREAM_MS
    for (const stream of streams) if (stream.usedAtMs < oldestMs) stream.giveUp()
  })
  return {
    serve: (stream, { remotePeer }) => {
      const peer = book.of(remotePeer.toMultihash().bytes)
      const inbound = new InboundStream(components, { stream, peer })
      streams.add(inbound)
      stream.addEventListener('close', () => streams.delete(inbound))
    },
    [Symbol.dispose]: () => {
      idleCheck[Symbol.dispose]()
    }
  }
}

class InboundStream {
  usedAtMs: number
  readonly #components: InboundComponents
  readonly #stream: Stream
  readonly #peer: BookPeer
  #frames: FrameReader = createFrameReader(REQUEST_BYTES_MAX)
  #isBusy = false
  #isEnding = false
  #isGivenUp = false

  constructor(components: InboundComponents, { stream, peer }: { stream: Stream; peer: BookPeer }) {
    this.#components = components
    this.#stream = stream
    this.#peer = peer
    this.usedAtMs = components.clock.monotonicMs()
    stream.addEventListener('message', ({ data }) => {
      try {
        this.#frames.append(data)
        // what comes meanwhile stays with libp2p, which has a bound of its own
        if (this.#isBusy && this.#frames.waitingBytes() > INBOUND_QUEUE_BYTES_MAX) stream.pause()
        this.#work()
      } catch (error) {
        this.#refuse(error)
      }
    })
    stream.addEventListener('remoteCloseWrite', () => {
      this.#isEnding = true
      if (!this.#isBusy) this.close()
    })
  }

  /**
   * Ends it, and at once when its peer takes no answers, for an orderly end would wait for those, or has not ended its side
   * since the last time.
   */
  giveUp(): void {
    if (this.#isBusy || this.#isGivenUp) this.#refuse(new Error('stream of the DHT not read, or kept open'))
    else this.close()
    this.#isGivenUp = true
  }

  close(): void {
    void this.#stream.close().catch(() => undefined)
  }

  /** Answers what waits, without leaving the turn of the event loop while nothing has to be waited for. */
  #work(): void {
    if (this.#isBusy) return
    try {
      for (let frame = this.#frames.next(); frame !== undefined; frame = this.#frames.next()) {
        // a message that comes byte by byte, and never whole, is no use
        this.usedAtMs = this.#components.clock.monotonicMs()
        const answer = this.#components.answer(this.#peer, decodeMessage(frame))
        const isSent = answer instanceof Promise ? this.#sendLater(answer) : this.#send(answer)
        if (isSent === true) continue
        this.#isBusy = true
        isSent.then(
          () => this.#resume(),
          (error: unknown) => this.#refuse(error)
        )
        return
      }
      if (this.#stream.readStatus === 'paused') this.#stream.resume()
      // what was read behind the pause has been dealt with, or is being, by now
      if (this.#isEnding && !this.#isBusy) this.close()
    } catch (error) {
      this.#refuse(error)
    }
  }

  #resume(): void {
    this.#isBusy = false
    this.#work()
  }

  async #sendLater(answer: Promise<KadMessage | undefined>): Promise<void> {
    const isSent = this.#send(await answer)
    if (isSent !== true) await isSent
  }

  /** `true` when more may be sent at once, or else a promise for when it may. */
  #send(answer: KadMessage | undefined): true | Promise<void> {
    if (answer === undefined || this.#stream.send(encodeMessage(answer))) return true
    return this.#stream.onDrain()
  }

  #refuse(error: unknown): void {
    // nothing that waits is dealt with any more
    this.#frames = createFrameReader(REQUEST_BYTES_MAX)
    this.#stream.abort(error instanceof Error ? error : new Error('message refused'))
  }
}
