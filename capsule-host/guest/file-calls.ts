import { FRAME_PAYLOAD_BYTES_MAX } from './frames.ts'

/** The guest's side of calls on files: one question to the host, then its answer. */
export class FileCalls {
  readonly #send: (request: Uint8Array) => void
  #open: PromiseWithResolvers<Uint8Array> | undefined

  constructor(send: (request: Uint8Array) => void) {
    this.#send = send
  }

  /**
   * Asks, and resolves with the answer, a copy.
   *
   * @throws RangeError when the request does not fit one frame, or another one is open
   */
  async ask(request: Uint8Array): Promise<Uint8Array> {
    if (request.byteLength > FRAME_PAYLOAD_BYTES_MAX) throw new RangeError('expected a request of one frame')
    if (this.#open !== undefined) throw new RangeError('expected one request at a time')
    this.#open = Promise.withResolvers()
    this.#send(request)
    return await this.#open.promise
  }

  /** Takes the host's answer; one that nobody asked for is dropped. */
  answer(payload: Uint8Array): void {
    const open = this.#open
    this.#open = undefined
    open?.resolve(payload.slice())
  }
}
