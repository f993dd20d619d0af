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
export function createFairGate({ insideMax, waitingMax, perGroupMax }: FairGateInit): FairGate {
  /** Groups in the order of their turn, each with those who wait. */
  const waiting = new Map<string, (() => void)[]>()
  const counts = new Map<string, number>()
  let inside = 0
  let waitingCount = 0

  const leave = (group: string): void => {
    inside -= 1
    const left = (counts.get(group) ?? 1) - 1
    if (left === 0) counts.delete(group)
    else counts.set(group, left)
    admit()
  }
  const admit = (): void => {
    const [group, queue] = waiting.entries().next().value ?? []
    if (group === undefined || queue === undefined || inside >= insideMax) return
    // To the end of the line, whoever else is of the group.
    waiting.delete(group)
    const enter = queue.shift()
    if (queue.length > 0) waiting.set(group, queue)
    waitingCount -= 1
    inside += 1
    enter?.()
  }
  const turn = (group: string): Disposable => {
    let isInside = true
    return {
      [Symbol.dispose]: () => {
        if (isInside) leave(group)
        isInside = false
      }
    }
  }
  const wait = async (group: string, signal: AbortSignal): Promise<void> => {
    const admitted = Promise.withResolvers<void>()
    const queue = waiting.get(group) ?? []
    const enter = (): void => admitted.resolve()
    const giveUp = (): void => {
      const index = queue.indexOf(enter)
      if (index < 0) return
      queue.splice(index, 1)
      if (queue.length === 0) waiting.delete(group)
      waitingCount -= 1
      admitted.reject(signal.reason)
    }
    queue.push(enter)
    waiting.set(group, queue)
    waitingCount += 1
    signal.addEventListener('abort', giveUp, { once: true })
    try {
      await admitted.promise
    } finally {
      signal.removeEventListener('abort', giveUp)
    }
  }
  return {
    enter: async (group, signal) => {
      signal.throwIfAborted()
      const count = counts.get(group) ?? 0
      if (count >= perGroupMax || waitingCount >= waitingMax) throw refusal('ERR_CHANNEL_BUSY')
      counts.set(group, count + 1)
      try {
        if (inside >= insideMax || waitingCount > 0) await wait(group, signal)
        else inside += 1
      } catch (thrown) {
        const left = (counts.get(group) ?? 1) - 1
        if (left === 0) counts.delete(group)
        else counts.set(group, left)
        throw thrown
      }
      return turn(group)
    }
  }
}
