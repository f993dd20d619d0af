import type { Stream } from '@libp2p/interface'
import { STREAM_BUFFER_BYTES } from './constants.ts'

/**
 * Bytes both ways to one peer that is known already: a libp2p stream, or a socket that somebody else has opened and
 * authenticated.
 */
export interface Pipe {
  /**
   * Sends; `false` asks to wait for {@link drained}. Never writes into the bytes, which must stay as they are, until
   * `onSent` is called where the pipe can tell when it needs them no more.
   */
  send(bytes: Uint8Array, onSent?: () => void): boolean
  /** Resolves when more may be sent. @throws when the pipe closes first */
  drained(): Promise<void>
  /**
   * Calls back with whatever comes, from when this has returned on; `onEnd` once, when nothing comes any more.
   */
  receive(onBytes: (bytes: Uint8Array) => void, onEnd: (cause: Error | undefined) => void): void
  /** Sends what was given to it, then closes. */
  end(): void
  /** Closes at once. */
  abort(cause: Error): void
}

/** A libp2p stream as a pipe. */
export function pipeOfStream(stream: Stream): Pipe {
  const isFull = (): boolean => stream.writableNeedsDrain || stream.writeBufferLength > STREAM_BUFFER_BYTES
  return {
    send: (bytes) => stream.send(bytes) && !isFull(),
    drained: async () => await untilMoved(stream, isFull),
    receive: (onBytes, onEnd) => {
      let hasEnded = false
      const end = (cause: Error | undefined): void => {
        if (hasEnded) return
        hasEnded = true
        onEnd(cause)
      }
      stream.addEventListener('close', ({ error }) => end(error))
      // Not when the other side closes: what it sent before may still be here. Why a stream was given up comes after its end.
      stream.addEventListener('end', () => {
        if (stream.status === 'open' || stream.status === 'closing') end(undefined)
      })
      stream.addEventListener('message', ({ data }) => {
        if (data instanceof Uint8Array) onBytes(data)
        else for (const part of data) onBytes(part)
      })
    },
    end: () => {
      stream.close().catch(() => undefined)
    },
    abort: (cause) => stream.abort(cause)
  }
}

/**
 * Waits while `isFull`. `stream.onDrain` is no use here: it resolves on the first window update, with most of what was
 * sent still in the buffer, and after its first use always at once.
 *
 * @throws when the stream closes first
 */
async function untilMoved(stream: Stream, isFull: () => boolean): Promise<void> {
  while (isFull()) {
    if (stream.writeStatus !== 'writable') throw new Error(`the stream is ${stream.status}`)
    const { promise, resolve } = Promise.withResolvers<undefined>()
    const onMoved = (): void => resolve(undefined)
    const events = ['drain', 'idle', 'close'] as const
    for (const event of events) stream.addEventListener(event, onMoved)
    await promise
    for (const event of events) stream.removeEventListener(event, onMoved)
  }
}
