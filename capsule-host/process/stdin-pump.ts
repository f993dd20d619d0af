import { FRAME_PAYLOAD_BYTES_MAX } from '../guest/frames.ts'

/** What {@link StdinPump} hands bytes to. */
export interface StdinTarget {
  /** Takes at most one frame's payload. */
  send(bytes: Uint8Array): void
  /** Nothing more will come. */
  end(): void
}

/**
 * Moves a capsule's standard input, never more than its process has asked for. The source is not read before the
 * capsule reads: a program that takes no input leaves its user's keyboard alone.
 */
export class StdinPump {
  readonly #source: AsyncIterator<Uint8Array>
  readonly #target: StdinTarget
  #wantedBytes = 0
  #wanted: PromiseWithResolvers<void> = Promise.withResolvers()
  #isStopped = false

  constructor(source: AsyncIterable<Uint8Array>, target: StdinTarget) {
    this.#source = source[Symbol.asyncIterator]()
    this.#target = target
  }

  /** The process asks for `bytes` more, of `windowBytes` at most. */
  want(bytes: number, windowBytes: number): void {
    this.#wantedBytes = Math.min(windowBytes, this.#wantedBytes + bytes)
    this.#wanted.resolve()
  }

  /** Moves bytes until the source ends or {@link stop}. A source that fails has ended. Never rejects. */
  async run(): Promise<void> {
    try {
      for (;;) {
        await this.#room()
        if (this.#isStopped) return
        const next = await this.#source.next()
        if (this.#isStopped || next.done === true) break
        await this.#move(next.value)
      }
    } catch {
      // The capsule sees the end of its input; what went wrong is its owner's to know.
    }
    if (!this.#isStopped) this.#target.end()
  }

  /** Ends it. The source's `return` is called and not awaited: a keyboard may never answer. */
  stop(): void {
    if (this.#isStopped) return
    this.#isStopped = true
    this.#wanted.resolve()
    void Promise.resolve(this.#source.return?.()).catch(() => undefined)
  }

  async #move(chunk: Uint8Array): Promise<void> {
    for (let rest = chunk; rest.byteLength > 0 && !this.#isStopped;) {
      await this.#room()
      const part = rest.subarray(0, Math.min(this.#wantedBytes, FRAME_PAYLOAD_BYTES_MAX))
      this.#target.send(part)
      this.#wantedBytes -= part.byteLength
      rest = rest.subarray(part.byteLength)
    }
  }

  async #room(): Promise<void> {
    while (this.#wantedBytes === 0 && !this.#isStopped) {
      this.#wanted = Promise.withResolvers()
      await this.#wanted.promise
    }
  }
}
