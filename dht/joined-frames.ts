import type { MessageStream } from '@libp2p/interface'
import { JOINED_FRAMES_BYTES_MAX } from './constants.ts'
import { afterThisTurn } from './powers.ts'

type Data = Parameters<MessageStream['send']>[0]

/** What of a connection says what it is about to send; held by the test of this file. */
interface Buffering extends MessageStream {
  readonly writeStatus: string
  readonly writeBuffer?: {
    readonly byteLength: number
    append(data: Data): void
    subarray(): Uint8Array
    consume(count: number): void
  }
  processSendQueue?(): boolean
  /** Drops what has not been sent. */
  onRemoteCloseRead?(): void
}

/**
 * Writes what is sent within one turn of the event loop in one piece. A new stream says that it begins, how large its window is,
 * which protocol it wants, what it wants to know, and that this is all: five frames, each of which would be encrypted, written
 * and read by itself. Seven of ten writes of a node that meets others went to somebody to whom it had just written.
 *
 * @param hasLeft - whether the other side has said its last word: it reads no more, and what still waits for it is dropped
 * @returns writes at once what waits: to be called before what is below the connection is closed, which ends within the turn
 */
export function joinFrames(connection: MessageStream, hasLeft: () => boolean): () => void {
  const joined = connection as Buffering
  const { writeBuffer } = joined
  const write = joined.processSendQueue?.bind(joined)
  if (writeBuffer === undefined || write === undefined) return () => undefined
  const send = joined.send.bind(joined)
  const abort = joined.abort.bind(joined)
  let isWaiting = false
  const flush = (): void => {
    if (!isWaiting) return
    isWaiting = false
    try {
      if (hasLeft()) joined.onRemoteCloseRead?.()
      write()
    } catch {
      // the connection is gone and has said so to whoever uses it
    }
  }
  joined.send = (data) => {
    const isFull = writeBuffer.byteLength + data.byteLength > JOINED_FRAMES_BYTES_MAX
    if (isFull || joined.writeStatus !== 'writable' || joined.writableNeedsDrain) {
      isWaiting = false
      return send(data)
    }
    writeBuffer.append(data)
    if (!isWaiting) afterThisTurn(flush)
    isWaiting = true
    return true
  }
  // what was said before the end is still said
  joined.abort = (error) => {
    flush()
    abort(error)
  }
  return flush
}

/** Of connections on which a handshake is under way: ends the joining of what it writes. */
const handshakes = new WeakMap<object, () => void>()

/**
 * Writes in one piece what a handshake says within one turn, and what follows it in the same turn: each side of it says two or three
 * things at once, and TCP is handed each by itself, its length apart. Ends when {@link endHandshake} is called.
 */
export function joinHandshake(connection: MessageStream): void {
  const joined = connection as Buffering
  const { writeBuffer } = joined
  const write = joined.processSendQueue?.bind(joined)
  if (writeBuffer === undefined || write === undefined) return
  const send = joined.send.bind(joined)
  const abort = joined.abort.bind(joined)
  let isWaiting = false
  let isEnding = false
  const restore = (): void => {
    Object.assign(joined, { send, abort })
  }
  const flush = (): void => {
    if (!isWaiting) return
    isWaiting = false
    if (isEnding) restore()
    const bytes = writeBuffer.subarray()
    writeBuffer.consume(bytes.byteLength)
    writeBuffer.append(bytes)
    try {
      write()
    } catch {
      // the connection is gone and has said so to whoever uses it
    }
  }
  joined.send = (data) => {
    if (joined.writeStatus !== 'writable' || joined.writableNeedsDrain) return send(data)
    writeBuffer.append(data)
    // once more: what is sent over the connection that the handshake made waits for the end of the turn too
    if (!isWaiting) afterThisTurn(() => afterThisTurn(flush))
    isWaiting = true
    return true
  }
  joined.abort = (error) => {
    flush()
    abort(error)
  }
  handshakes.set(connection, () => {
    isEnding = true
    if (!isWaiting) restore()
  })
}

/** The handshake of a connection is done, or has failed. */
export function endHandshake(connection: object): void {
  handshakes.get(connection)?.()
  handshakes.delete(connection)
}
