import type { FileReadLog } from '../wasi/host.ts'
import { ENTRY_KIND, KEPT_ANSWER_BYTES_MIN } from './entries.ts'
import type { EntryWriter } from './entry-writer.ts'

type Ask = (request: Uint8Array) => Promise<Uint8Array>

/** The number of an answer that the host does not keep. */
const NOT_KEPT = -1
/** Pieces of answers that one read may be made of to be named by them. */
const READ_PARTS_MAX = 64
const PLACE_BYTES = 12

/**
 * The host's answers to calls on files, in the order they came. The host keeps the long ones itself, so that what it has just
 * sent need not come back: entries name the bytes a program got by their answer.
 */
export class FileAnswers implements FileReadLog {
  /** Of the last read, for each of its pieces: the answer, the offset in it, the length. */
  readonly #places = new Uint32Array(READ_PARTS_MAX * 3)
  #count = 0
  #parts = 0
  #filled = 0
  /** Whether every piece of the last read can be named. */
  #isNamed = false
  #lastAnswer = NOT_KEPT

  /** The number of the last answer as the trace has it. */
  get lastAnswer(): number {
    return this.#lastAnswer
  }

  /** Asks, and counts the answer as the host does. */
  counting(ask: Ask): Ask {
    return async (request) => {
      const answer = await ask(request)
      this.#lastAnswer = answer.byteLength >= KEPT_ANSWER_BYTES_MIN ? this.#count++ : NOT_KEPT
      return answer
    }
  }

  /** Forgets the read before. */
  begin(): void {
    this.#parts = 0
    this.#filled = 0
    this.#isNamed = true
  }

  /** Notes a piece of a read. */
  add(answer: number, offset: number, length: number): void {
    if (answer === NOT_KEPT || this.#parts === READ_PARTS_MAX) {
      this.#isNamed = false
      return
    }
    const at = this.#parts++ * 3
    this.#places[at] = answer
    this.#places[at + 1] = offset
    this.#places[at + 2] = length
    this.#filled += length
  }

  /**
   * Writes the entry of the last read, which says where in the answers its bytes are; false when it has not, since that would
   * be no shorter than the bytes or the host does not keep them.
   */
  writeRead(entries: EntryWriter, check: number): boolean {
    const length = this.#parts * PLACE_BYTES
    if (!this.#isNamed || this.#parts === 0 || this.#filled < length) return false
    this.#isNamed = false
    entries.begin(ENTRY_KIND.fileRead, check, 4 + length)
    entries.u32(this.#filled)
    for (let at = 0; at < this.#parts * 3; at++) entries.u32(this.#places[at] ?? 0)
    return true
  }
}
