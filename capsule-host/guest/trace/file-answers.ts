import { KEPT_ANSWER_BYTES_MIN } from './entries.ts'

type Ask = (request: Uint8Array) => Promise<Uint8Array>

/**
 * The host's answers to calls on files, in the order they came. The host keeps the long ones itself, so that what it has just
 * sent need not come back: entries name the bytes a program got by their answer.
 */
export class FileAnswers {
  readonly #numbers = new WeakMap<ArrayBufferLike, number>()
  #count = 0
  #read: readonly Uint8Array[] | undefined

  /** Asks, and counts the answer as the host does. */
  counting(ask: Ask): Ask {
    return async (request) => {
      const answer = await ask(request)
      if (answer.byteLength >= KEPT_ANSWER_BYTES_MIN) this.#numbers.set(answer.buffer, this.#count++)
      return answer
    }
  }

  /** Says what a call has just read: views of answers. */
  noteRead(parts: readonly Uint8Array[]): void {
    this.#read = parts
  }

  /** What the last call read, once; `undefined` when it read no file. */
  takeRead(): readonly Uint8Array[] | undefined {
    const read = this.#read
    this.#read = undefined
    return read
  }

  /** The number of the answer that `part` is a view of; `undefined` when the host does not keep it. */
  numberOf(part: Uint8Array): number | undefined {
    return this.#numbers.get(part.buffer)
  }
}
