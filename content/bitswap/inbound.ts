import type { Stream } from '@libp2p/interface'
import { errorCode } from '#contracts'
import { ContentError } from '../errors.ts'
import type { FlowChannel } from '../flow/index.ts'
import type { MisbehaviourReason } from './conduct.ts'
import type { BitswapLimits } from './limits.ts'
import { FrameReader, type ReceiveBudget } from './frame-reader.ts'
import { decodeMessage, type BitswapMessage } from './message.ts'

/** What happens with what peers send us. */
export interface InboundComponents {
  /** A whole message. May throw a ContentError when it is malformed inside. */
  onMessage(this: void, peerId: string, message: BitswapMessage): void
  /** Some bytes came. */
  onProgress(this: void, peerId: string, bytes: number): void
  /** Limits of what a peer sends on one stream; disposed when the stream ends. */
  openFlow?: ((peerId: string, abandon: (cause: Error) => void) => FlowChannel | undefined) | undefined
  /** The bytes were no message, or too many; the stream was reset. */
  onRefused(this: void, peerId: string, reason: MisbehaviourReason): void
}

/** A paused stream may receive what it had promised room for: the largest window of yamux, and a frame. */
const PAUSED_BYTES_MAX = 17 * 1024 * 1024

/** Reads the streams that peers open to us; what is unfinished is bounded per peer and in all. */
export class Inbound {
  readonly #components: InboundComponents
  readonly #limits: Pick<BitswapLimits, 'receiveBytesPerPeerMax' | 'receiveBytesMax'>
  readonly #held = new Map<string, number>()
  #heldInAll = 0

  constructor(
    components: InboundComponents,
    limits: Pick<BitswapLimits, 'receiveBytesPerPeerMax' | 'receiveBytesMax'>
  ) {
    this.#components = components
    this.#limits = limits
  }

  /** Bytes of unfinished messages held now. */
  get heldBytes(): number {
    return this.#heldInAll
  }

  /** Reads messages until the stream ends. We never write to it. */
  accept(stream: Stream, peerId: string): void {
    const { onMessage, onProgress } = this.#components
    const flow = this.#components.openFlow?.(peerId, (cause) => {
      stream.abort(cause)
    })
    let requests = 0
    const reader = new FrameReader({
      budget: this.#budget(peerId),
      onFrame: (chunks) => {
        const message = decodeMessage(chunks)
        if (message.wants.length > 0) requests++
        onMessage(peerId, message)
      }
    })
    stream.addEventListener('message', ({ data }) => {
      try {
        onProgress(peerId, data.byteLength)
        const received = flow?.received(data.byteLength)
        requests = 0
        if (data instanceof Uint8Array) reader.push(data)
        else for (const chunk of data) reader.push(chunk)
        // Requests that came together wait together: each alone would be one more in a line without a bound.
        const requested = requests > 0 ? flow?.requested(requests) : undefined
        pauseFor(stream, [received, requested])
      } catch (cause) {
        reader[Symbol.dispose]()
        this.#refuse(stream, peerId, cause)
      }
    })
    const onEnd = (): void => {
      // What came before the end and waits behind a pause is read yet.
      if (stream.readBufferLength > 0) return
      reader[Symbol.dispose]()
      flow?.[Symbol.dispose]()
    }
    stream.addEventListener('end', onEnd)
    stream.addEventListener('close', onEnd)
    stream.close().catch(() => {
      // Closing our end tells the other side that nothing comes back; if that fails the stream is gone anyway.
    })
  }

  #refuse(stream: Stream, peerId: string, cause: unknown): void {
    stream.abort(cause instanceof Error ? cause : new Error(String(cause)))
    const code = errorCode(cause)
    this.#components.onRefused(peerId, code === 'ERR_BITSWAP_BUSY' ? 'too-many-bytes' : 'malformed-message')
  }

  #budget(peerId: string): ReceiveBudget {
    return {
      take: (bytes) => {
        const held = (this.#held.get(peerId) ?? 0) + bytes
        if (
          held > this.#limits.receiveBytesPerPeerMax ||
          this.#heldInAll + bytes > this.#limits.receiveBytesMax
        ) {
          throw new ContentError('ERR_BITSWAP_BUSY', 'expected fewer bytes of unfinished messages')
        }
        this.#held.set(peerId, held)
        this.#heldInAll += bytes
      },
      give: (bytes) => {
        const held = (this.#held.get(peerId) ?? 0) - bytes
        if (held > 0) this.#held.set(peerId, held)
        else this.#held.delete(peerId)
        this.#heldInAll -= bytes
      }
    }
  }
}

/** Reads nothing more from a stream until all of `pauses` are over. */
function pauseFor(stream: Stream, pauses: readonly (Promise<void> | undefined)[]): void {
  const pending = pauses.filter((pause) => pause !== undefined)
  if (pending.length === 0 || stream.readStatus !== 'readable') return
  stream.maxReadBufferLength = Math.max(stream.maxReadBufferLength, PAUSED_BYTES_MAX)
  stream.pause()
  void Promise.all(pending).then(() => {
    if (stream.readStatus !== 'paused') return
    try {
      stream.resume()
    } catch {
      // The connection is gone and cannot be told to go on; what it left behind the pause was read all the same.
    }
  })
}
