import type { Clock } from '#contracts'
import type { BulkConnection, BulkSockets } from './bulk-sockets.ts'
import { malformedFrame } from './frames.ts'
import type { Frame } from './frames.ts'
import type { Pipe } from './pipe.ts'
import type { SocketFrameInit } from './served-channel.ts'

/** How a provider answers frames about a second socket. */
export interface SocketAnswersInit<C extends BulkConnection> {
  /** Absent: there are none. */
  readonly sockets: BulkSockets | undefined
  readonly connection: C
  readonly clock: Clock
  readonly timeoutMs: number
  /** The socket is there; asks may come on it. */
  onPipe(this: void, pipe: Pipe): void
  onFailed(this: void, cause: unknown): void
}

/** Answers the frames about sockets of one channel: one socket a channel. */
export function answerSocketFrames<C extends BulkConnection>(
  init: SocketAnswersInit<C>
): (frame: Frame, o: SocketFrameInit) => void {
  let isUsed = false
  let onToken: ((frame: Extract<Frame, { type: 'socket-token' }>) => void) | undefined
  const open = async (frame: Frame, { send, signal: ended }: SocketFrameInit): Promise<void> => {
    const { sockets, connection } = init
    const side = sockets?.sideOf(connection)
    const wanted = frame.type === 'socket-hello' ? 'accept' : 'dial'
    if (sockets === undefined || side !== wanted) {
      await send({ type: 'socket-no' })
      return
    }
    const late = new AbortController()
    using _deadline = init.clock.after(init.timeoutMs, () => late.abort(new Error('no socket in time')))
    const signal = AbortSignal.any([ended, late.signal])
    if (frame.type === 'socket-hello') {
      const { token, pipe } = sockets.expect({ connection, fingerprint: frame.fingerprint, signal })
      // A peer that takes nothing keeps us at sending, and what fails meanwhile would end the process.
      pipe.catch(() => undefined)
      await send({ type: 'socket-token', fingerprint: sockets.fingerprint, token })
      init.onPipe(await pipe)
      return
    }
    const { promise, resolve, reject } = Promise.withResolvers<Extract<Frame, { type: 'socket-token' }>>()
    promise.catch(() => undefined)
    onToken = resolve
    signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true })
    await send({ type: 'socket-hello', fingerprint: sockets.fingerprint })
    const { fingerprint, token } = await promise
    init.onPipe(await sockets.dial({ connection, fingerprint, token, signal }))
  }
  return (frame, o) => {
    if (frame.type === 'socket-token') {
      if (onToken === undefined) throw malformedFrame('a token that we asked for', 'another')
      onToken(frame)
      onToken = undefined
    } else if (frame.type === 'socket-hello' || frame.type === 'socket-please') {
      if (isUsed) throw malformedFrame('one wish for a socket', 'another')
      isUsed = true
      open(frame, o).catch(init.onFailed)
    } else throw malformedFrame('a frame of a requester', frame.type)
  }
}
