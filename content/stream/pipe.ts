import type { Stream } from '@libp2p/interface'

/**
 * Bytes both ways to one peer that is known already: a libp2p stream, or a socket that somebody else has opened and
 * authenticated.
 */
export interface Pipe {
  /** Sends; `false` asks to wait for {@link drained}. Never writes into the bytes, which must stay as they are. */
  send(bytes: Uint8Array): boolean
  /** Resolves when more may be sent. @throws when the pipe closes first */
  drained(): Promise<void>
  /** Calls back with whatever comes, from now on; `onEnd` once, when nothing comes any more. */
  receive(onBytes: (bytes: Uint8Array) => void, onEnd: (cause: Error | undefined) => void): void
  /** Sends what was given to it, then closes. */
  end(): void
  /** Closes at once. */
  abort(cause: Error): void
}

/** A libp2p stream as a pipe. */
export function pipeOfStream(stream: Stream): Pipe {
  return {
    send: (bytes) => stream.send(bytes),
    drained: async () => await stream.onDrain(),
    receive: (onBytes, onEnd) => {
      let hasEnded = false
      const end = (cause: Error | undefined): void => {
        if (hasEnded) return
        hasEnded = true
        onEnd(cause)
      }
      stream.addEventListener('close', ({ error }) => end(error))
      stream.addEventListener('remoteCloseWrite', () => end(undefined))
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
