import { unclearedBytes } from '../files.ts'
import type { FlowChannel } from '../flow/index.ts'
import { FRAME_HEADER_BYTES, OWN_WRITE_BYTES_MIN, WRITE_BYTES } from './constants.ts'
import { encodeFrame, writeHeader } from './frames.ts'
import type { Frame } from './frames.ts'
import type { Pipe } from './pipe.ts'

/**
 * Writes frames to a pipe in large pieces, one at a time: the next is read from the disk while the pipe takes the
 * one before. One writer writes at a time.
 */
export class FrameWriter {
  readonly #pipe: Pipe
  readonly #flow: FlowChannel | undefined
  readonly #signal: AbortSignal
  readonly #deadline: () => Disposable
  #gathered = unclearedBytes(0)
  #filled = 0

  constructor(o: {
    pipe: Pipe
    flow?: FlowChannel | undefined
    signal: AbortSignal
    /** Starts to wait for the peer to take something. */
    deadline: () => Disposable
  }) {
    this.#pipe = o.pipe
    this.#flow = o.flow
    this.#signal = o.signal
    this.#deadline = o.deadline
  }

  /** Writes a block, or keeps it to be written with the next; `onSent` may be called once its bytes are not needed. */
  async block(bytes: Uint8Array, onSent?: () => void): Promise<void> {
    const isOwn = bytes.length >= OWN_WRITE_BYTES_MIN
    await this.#makeRoom(FRAME_HEADER_BYTES + (isOwn ? 0 : bytes.length))
    writeHeader(this.#gathered.subarray(this.#filled), 'block', bytes.length)
    this.#filled += FRAME_HEADER_BYTES
    if (isOwn) {
      await this.flush()
      await this.#send(bytes, onSent)
    } else {
      this.#add(bytes)
      onSent?.()
    }
  }

  /** Writes any other frame, or keeps it to be written with the next. */
  async frame(frame: Frame): Promise<void> {
    const bytes = encodeFrame(frame)
    await this.#makeRoom(bytes.length)
    this.#add(bytes)
  }

  /** Hands everything kept to the pipe and waits until it has taken it. */
  async flush(): Promise<void> {
    if (this.#filled === 0) return
    const bytes = this.#gathered.subarray(0, this.#filled)
    // The pipe keeps what it was given for a while, so what follows is written behind it.
    this.#gathered = this.#gathered.subarray(this.#filled)
    this.#filled = 0
    await this.#send(bytes)
  }

  #add(bytes: Uint8Array): void {
    this.#gathered.set(bytes, this.#filled)
    this.#filled += bytes.length
  }

  async #makeRoom(length: number): Promise<void> {
    if (this.#filled + length <= this.#gathered.length) return
    await this.flush()
    if (length > this.#gathered.length) this.#gathered = unclearedBytes(Math.max(WRITE_BYTES, length))
  }

  async #send(bytes: Uint8Array, onSent?: () => void): Promise<void> {
    const pieceBytes = Math.min(WRITE_BYTES, this.#flow?.pieceBytes ?? WRITE_BYTES)
    for (let at = 0; at < bytes.length; at += pieceBytes) {
      const piece = bytes.subarray(at, at + pieceBytes)
      using _lease = await this.#flow?.send(piece.length, this.#signal)
      this.#signal.throwIfAborted()
      // Pieces go in order.
      const isLast = at + pieceBytes >= bytes.length
      if (this.#pipe.send(piece, isLast ? onSent : undefined)) continue
      using _deadline = this.#deadline()
      await this.#pipe.drained()
    }
  }
}
