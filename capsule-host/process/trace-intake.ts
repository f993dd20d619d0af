import { TRACE_PIECE_BYTES, TRACE_WAITING_BYTES_MAX } from '../constants.ts'
import { FRAME_PAYLOAD_BYTES_MAX } from '../guest/frames.ts'
import { CHUNK_HEAD_BYTES, KEPT_ANSWER_BYTES_MIN, TRACE_ENTRIES_BYTES_MAX } from '../guest/trace/entries.ts'
import type { RunTrace } from './init.ts'

/** What {@link TraceIntake} works with. */
export interface TraceIntakeInit {
  readonly trace: Extract<RunTrace, { kind: 'record' }>
  /** Called when something was not written. */
  onFailure(thrown: unknown): void
}

/** The trace of one run on its way to whoever keeps it: what its process says of it, and what the host answered. */
export class TraceIntake {
  readonly #init: TraceIntakeInit
  #entriesBytes = 0
  #waitingBytes = 0
  #room: PromiseWithResolvers<void> | undefined

  constructor(init: TraceIntakeInit) {
    this.#init = init
  }

  /**
   * Takes the next entries, and resolves when there is room for more.
   *
   * @throws Error for what no recorder sends: nothing at all, or more than its bound
   */
  async take(entries: Uint8Array): Promise<void> {
    if (entries.byteLength === 0) throw new Error('expected something in a piece of a trace')
    this.#entriesBytes += entries.byteLength + CHUNK_HEAD_BYTES
    if (this.#entriesBytes > TRACE_ENTRIES_BYTES_MAX + FRAME_PAYLOAD_BYTES_MAX)
      throw new Error('expected a trace within its bound')
    this.#wait(entries, this.#init.trace.write(entries))
    await this.room()
  }

  /**
   * Takes an answer to a call on files, before anything else that the capsule says is taken; short ones are in its entries.
   */
  answer(answer: Uint8Array): void {
    if (answer.byteLength < KEPT_ANSWER_BYTES_MIN) return
    this.#wait(answer, this.#init.trace.writeAnswer(answer))
  }

  /** True while more waits to be written than may. */
  get isFull(): boolean {
    return this.#waitingBytes > TRACE_WAITING_BYTES_MAX
  }

  /** Resolves when no more waits to be written than may: what the capsule asks for does not wait for a disk until then. */
  async room(): Promise<void> {
    if (!this.isFull) return
    this.#room ??= Promise.withResolvers()
    await this.#room.promise
  }

  #wait({ byteLength }: Uint8Array, writing: Promise<void> | void): void {
    // Small pieces cost more than their bytes: a process that lies may send nothing else.
    const bytes = byteLength + TRACE_PIECE_BYTES
    this.#waitingBytes += bytes
    void Promise.resolve(writing)
      .catch((thrown: unknown) => this.#init.onFailure(thrown))
      .finally(() => {
        this.#waitingBytes -= bytes
        if (this.isFull) return
        this.#room?.resolve()
        this.#room = undefined
      })
  }
}
