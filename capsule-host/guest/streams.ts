/** Options of {@link GuestInput}. */
export interface GuestInputInit {
  /** Bytes that may be held or under way. */
  windowBytes: number
  /** Asks the host for that many more bytes; absent for a stream the host sends unasked. */
  want?: (bytes: number) => void
}

/** More arrived than the window allows. */
export class InputOverflowError extends Error {}

/**
 * Bytes on their way to the program. Nothing is asked of the host before the program reads or polls, so a program
 * that never reads takes nothing from its user's terminal.
 */
export class GuestInput {
  readonly #init: GuestInputInit
  readonly #chunks: Uint8Array[] = []
  readonly #waiting = new Set<() => void>()
  #heldBytes = 0
  #grantedBytes = 0
  #ended = false

  constructor(init: GuestInputInit) {
    this.#init = init
  }

  /** Bytes a read would give without waiting. */
  get readableBytes(): number {
    return this.#heldBytes
  }

  /** True when a read would not wait: there are bytes, or there never will be. */
  get isReady(): boolean {
    return this.#heldBytes > 0 || this.#ended
  }

  /** True when everything was read and no more will come. */
  get isDrained(): boolean {
    return this.#heldBytes === 0 && this.#ended
  }

  /**
   * Takes bytes from the host. They are copied.
   *
   * @throws InputOverflowError when the window is full
   */
  push(bytes: Uint8Array): void {
    if (bytes.byteLength === 0 || this.#ended) return
    if (this.#heldBytes + bytes.byteLength > this.#init.windowBytes) {
      throw new InputOverflowError(`expected at most ${this.#init.windowBytes} waiting bytes`)
    }
    this.#chunks.push(bytes.slice())
    this.#heldBytes += bytes.byteLength
    this.#grantedBytes = Math.max(0, this.#grantedBytes - bytes.byteLength)
    this.#wake()
  }

  /** No more will come. */
  end(): void {
    this.#ended = true
    this.#wake()
  }

  /** Resolves when {@link isReady}. Asks the host for bytes. */
  async ready(): Promise<void> {
    this.#ask()
    while (!this.isReady) {
      await new Promise<void>((resolve) => {
        this.#waiting.add(resolve)
      })
    }
  }

  /** Calls `listener` at the next arrival or end; the returned function forgets it. Asks the host for bytes. */
  onReady(listener: () => void): () => void {
    this.#ask()
    this.#waiting.add(listener)
    return () => this.#waiting.delete(listener)
  }

  /** Fills `target` as far as there are bytes and returns how many. */
  readInto(target: Uint8Array): number {
    let filled = 0
    for (
      let head = this.#chunks[0];
      head !== undefined && filled < target.byteLength;
      head = this.#chunks[0]
    ) {
      const part = head.subarray(0, target.byteLength - filled)
      target.set(part, filled)
      filled += part.byteLength
      if (part.byteLength === head.byteLength) this.#chunks.shift()
      else this.#chunks[0] = head.subarray(part.byteLength)
    }
    this.#heldBytes -= filled
    return filled
  }

  #ask(): void {
    const { want, windowBytes } = this.#init
    if (want === undefined || this.#ended) return
    const room = windowBytes - this.#heldBytes - this.#grantedBytes
    // Half a window at a time: a message for every few bytes read would cost more than the bytes.
    if (room < windowBytes / 2) return
    this.#grantedBytes += room
    want(room)
  }

  #wake(): void {
    const waiting = [...this.#waiting]
    this.#waiting.clear()
    for (const listener of waiting) listener()
  }
}
