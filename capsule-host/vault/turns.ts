import { FileError } from '../files/errors.ts'
import { WAITING_CALLS_MAX } from './constants.ts'

/** Lets one task run at a time, in the order they came. */
export class Turns {
  #last: Promise<unknown> = Promise.resolve()
  #waitingCount = 0

  /** Runs `task` when all before it have ended, well or not. @throws FileError `ERR_FILE_BUSY` when too many wait */
  async run<T>(task: () => Promise<T>): Promise<T> {
    if (this.#waitingCount >= WAITING_CALLS_MAX) {
      throw new FileError('ERR_FILE_BUSY', `expected at most ${WAITING_CALLS_MAX} calls under way`)
    }
    return await this.runAlways(task)
  }

  /** As {@link run}, however many wait: for what ends something. */
  async runAlways<T>(task: () => Promise<T>): Promise<T> {
    this.#waitingCount++
    const turn = this.#last.then(task)
    this.#last = turn.then(
      () => this.#waitingCount--,
      () => this.#waitingCount--
    )
    return await turn
  }
}
