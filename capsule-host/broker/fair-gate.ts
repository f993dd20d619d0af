import { refusal } from './refusal.ts'

/** Lets some through at a time, and whoever waits in turn by group, so that one who comes often holds up nobody. */
export interface FairGate {
  /**
   * Waits for a turn; disposing it lets the next one in.
   *
   * @throws Refusal `ERR_CHANNEL_BUSY` when too many wait; the reason of `signal`
   */
  enter(group: string, signal: AbortSignal): Promise<Disposable>
}

/** Bounds of a {@link FairGate}. */
export interface FairGateInit {
  readonly insideMax: number
  readonly waitingMax: number
  readonly perGroupMax: number
}

/** A gate nobody is inside of. */
export function createFairGate(init: FairGateInit): FairGate {
  return new Gate(init)
}

class Gate implements FairGate {
  readonly #init: FairGateInit
  /** Groups in the order of their turn, each with those who wait. */
  readonly #waiting = new Map<string, (() => void)[]>()
  /** Of each group, how many wait or are inside. */
  readonly #counts = new Map<string, number>()
  #inside = 0
  #waitingCount = 0

  constructor(init: FairGateInit) {
    this.#init = init
  }

  async enter(group: string, signal: AbortSignal): Promise<Disposable> {
    signal.throwIfAborted()
    const { insideMax, waitingMax, perGroupMax } = this.#init
    const count = this.#counts.get(group) ?? 0
    if (count >= perGroupMax || this.#waitingCount >= waitingMax) throw refusal('ERR_CHANNEL_BUSY')
    this.#counts.set(group, count + 1)
    try {
      if (this.#inside >= insideMax) await this.#wait(group, signal)
      else this.#inside += 1
    } catch (thrown) {
      this.#uncount(group)
      throw thrown
    }
    return this.#turn(group)
  }

  #turn(group: string): Disposable {
    let isInside = true
    return {
      [Symbol.dispose]: () => {
        if (!isInside) return
        isInside = false
        this.#inside -= 1
        this.#uncount(group)
        this.#admit()
      }
    }
  }

  #uncount(group: string): void {
    const left = (this.#counts.get(group) ?? 1) - 1
    if (left === 0) this.#counts.delete(group)
    else this.#counts.set(group, left)
  }

  #admit(): void {
    const [group, queue] = this.#waiting.entries().next().value ?? []
    if (group === undefined || queue === undefined || this.#inside >= this.#init.insideMax) return
    // To the end of the line, whoever else is of the group.
    this.#waiting.delete(group)
    const enter = queue.shift()
    if (queue.length > 0) this.#waiting.set(group, queue)
    this.#waitingCount -= 1
    this.#inside += 1
    enter?.()
  }

  async #wait(group: string, signal: AbortSignal): Promise<void> {
    const admitted = Promise.withResolvers<void>()
    const queue = this.#waiting.get(group) ?? []
    const enter = (): void => admitted.resolve()
    const giveUp = (): void => {
      const index = queue.indexOf(enter)
      if (index < 0) return
      queue.splice(index, 1)
      if (queue.length === 0) this.#waiting.delete(group)
      this.#waitingCount -= 1
      admitted.reject(signal.reason)
    }
    queue.push(enter)
    this.#waiting.set(group, queue)
    this.#waitingCount += 1
    signal.addEventListener('abort', giveUp, { once: true })
    try {
      await admitted.promise
    } finally {
      signal.removeEventListener('abort', giveUp)
    }
  }
}
