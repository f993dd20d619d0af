import { VM_FRAME_BYTES_MAX, VM_STREAM_WINDOW_BYTES } from '../constants.ts'
import { VmmError } from '../errors.ts'
import { ByteRing } from './byte-ring.ts'
import { encodeCredit, encodeVmFrame, VM_FRAME, type VmFrame } from './frames.ts'

const CREDIT_BYTES_MIN = VM_STREAM_WINDOW_BYTES / 2

/** Which way the bytes of a stream go, as the host sees it. */
export type VmStreamKind = 'outgoing' | 'incoming' | 'both'

/** One stream of a machine's channel, the host's end. */
export interface VmStream {
  /** What the guest sent, to be read once. Reading is what allows the guest to send more. */
  readonly incoming: AsyncIterable<Uint8Array>
  /**
   * Sends bytes; resolves when the guest had allowed them all.
   *
   * @throws VmmError `ERR_VM_STOPPED` when the channel ended or the guest wants no more of this stream
   */
  write(bytes: Uint8Array): Promise<void>
  /** Nothing more will be written. */
  end(): void
}

/** A stream with its credit, both ways. Pure: what it has to say goes to `send`. */
export class CreditedStream implements VmStream {
  readonly #id: number
  readonly #kind: VmStreamKind
  readonly #send: (frame: Uint8Array) => void
  readonly #held = new ByteRing(VM_STREAM_WINDOW_BYTES)
  #allowedToThem = VM_STREAM_WINDOW_BYTES
  #allowedToUs = VM_STREAM_WINDOW_BYTES
  #readSinceCredit = 0
  #hasTheirEnd: boolean
  #hasOurEnd: boolean
  #isClosedByThem = false
  #isBroken = false
  #changed = Promise.withResolvers<void>()
  readonly #opened = Promise.withResolvers<void>()
  // Nothing is sent before the guest has its streams.
  #writing: Promise<void> = this.#opened.promise

  constructor(id: number, kind: VmStreamKind, send: (frame: Uint8Array) => void) {
    this.#id = id
    this.#kind = kind
    this.#send = send
    this.#hasTheirEnd = kind === 'outgoing'
    this.#hasOurEnd = kind === 'incoming'
  }

  get incoming(): AsyncIterable<Uint8Array> {
    return this.#read()
  }

  write(bytes: Uint8Array): Promise<void> {
    // One after the other: pieces of two writes never mix.
    const written = this.#writing.then(() => this.#writeNow(bytes))
    this.#writing = written.catch(() => undefined)
    return written
  }

  end(): void {
    void this.#writing.then(() => {
      if (this.#hasOurEnd || this.#isBroken) return
      this.#hasOurEnd = true
      this.#send(encodeVmFrame(VM_FRAME.end, this.#id))
    })
  }

  /**
   * Takes one frame of this stream.
   *
   * @throws VmmError `ERR_VM_CHANNEL` for one that the guest may not send
   */
  take({ type, payload }: VmFrame): void {
    if (type === VM_FRAME.data) this.#takeData(payload)
    else if (type === VM_FRAME.credit) this.#takeCredit(payload)
    else if (payload.byteLength > 0) throw this.#refusal('a frame without payload')
    else if (type === VM_FRAME.end && !this.#hasTheirEnd) this.#hasTheirEnd = true
    else if (type === VM_FRAME.close && !this.#isClosedByThem && this.#kind !== 'incoming')
      this.#closeByThem()
    else throw this.#refusal('a frame of its kind, and an end once')
    this.#wake()
  }

  /** The guest has its streams: what was written is sent now. */
  open(): void {
    this.#opened.resolve()
  }

  /** Nothing comes or goes any more; what came can still be read. */
  break(): void {
    this.#isBroken = true
    this.#opened.resolve()
    this.#wake()
  }

  #takeData(payload: Uint8Array): void {
    if (this.#hasTheirEnd) throw this.#refusal('no bytes after its end')
    if (payload.byteLength === 0) throw this.#refusal('data of at least one byte')
    if (payload.byteLength > this.#allowedToThem) throw this.#refusal('no more bytes than were allowed')
    this.#allowedToThem -= payload.byteLength
    this.#held.push(payload)
  }

  #closeByThem(): void {
    this.#isClosedByThem = true
    this.#hasOurEnd = true
  }

  #takeCredit(payload: Uint8Array): void {
    const bytes =
      payload.byteLength === 4 ? new DataView(payload.buffer, payload.byteOffset).getUint32(0, true) : 0
    const allowed = this.#allowedToUs + bytes
    if (this.#kind === 'incoming' || bytes === 0 || allowed > VM_STREAM_WINDOW_BYTES) {
      throw this.#refusal('credit for what was sent and not more')
    }
    this.#allowedToUs = allowed
  }

  async *#read(): AsyncGenerator<Uint8Array> {
    for (;;) {
      const bytes = this.#held.take(VM_FRAME_BYTES_MAX)
      if (bytes.byteLength > 0) {
        yield bytes
        this.#allowMore(bytes.byteLength)
      } else if (this.#hasTheirEnd || this.#isBroken) return
      else await this.#changed.promise
    }
  }

  #allowMore(bytes: number): void {
    this.#readSinceCredit += bytes
    if (this.#readSinceCredit < CREDIT_BYTES_MIN || this.#isBroken || this.#hasTheirEnd) return
    this.#allowedToThem += this.#readSinceCredit
    this.#send(encodeCredit(this.#id, this.#readSinceCredit))
    this.#readSinceCredit = 0
  }

  async #writeNow(bytes: Uint8Array): Promise<void> {
    let rest = bytes
    while (rest.byteLength > 0) {
      if (this.#isBroken || this.#hasOurEnd) {
        throw new VmmError('ERR_VM_STOPPED', 'expected a stream that takes bytes, it has ended')
      }
      const part = rest.subarray(0, Math.min(VM_FRAME_BYTES_MAX, this.#allowedToUs))
      if (part.byteLength === 0) await this.#changed.promise
      else {
        this.#allowedToUs -= part.byteLength
        this.#send(encodeVmFrame(VM_FRAME.data, this.#id, part))
        rest = rest.subarray(part.byteLength)
      }
    }
  }

  #wake(): void {
    this.#changed.resolve()
    this.#changed = Promise.withResolvers()
  }

  #refusal(expected: string): VmmError {
    return new VmmError('ERR_VM_CHANNEL', `expected of stream ${this.#id} ${expected}`)
  }
}
