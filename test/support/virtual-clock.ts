import type { Clock } from '#contracts'

/** A clock that stands still until it is advanced. */
export interface VirtualClock extends Clock {
  /**
   * Moves time forward by `durationMs`, running every timer on its way in order of its due time, and lets promises
   * settle after each. Resolves when the time is reached and the promises that hung on it have run.
   */
  advance(durationMs: number): Promise<void>
  /** Lets pending promise callbacks run while time stands still. */
  settle(): Promise<void>
  /** Moves the wall clock only, as a person who corrects it would; timers are not affected. */
  shiftWallClock(offsetMs: number): void
  /** How many timers are waiting; 0 shows that nothing was leaked. */
  pendingCount(): number
}

interface Timer {
  readonly task: () => void
  readonly order: number
  dueMs: number
  periodMs: number | undefined
}

/** How many turns of the microtask and immediate queues `settle` gives to chains of promises. */
const SETTLE_TURNS = 4

/** Lets promise callbacks and what they start run; real I/O is not waited for. */
async function turn(): Promise<void> {
  for (let i = 0; i < SETTLE_TURNS; i++) await new Promise((resolve) => setImmediate(resolve))
}

/** A virtual clock whose wall clock starts at `startMs` (milliseconds since the epoch). */
export function createVirtualClock(startMs = 1_800_000_000_000): VirtualClock {
  const timers = new Set<Timer>()
  let elapsedMs = 0
  let wallOffsetMs = startMs
  let started = 0

  const start = (delayMs: number, task: () => void, periodMs?: number): Disposable => {
    const timer: Timer = { task, order: started++, dueMs: elapsedMs + Math.max(delayMs, 0), periodMs }
    timers.add(timer)
    return { [Symbol.dispose]: () => timers.delete(timer) }
  }
  const next = (untilMs: number): Timer | undefined => {
    let first: Timer | undefined
    for (const timer of timers) {
      if (timer.dueMs > untilMs) continue
      if (!first || timer.dueMs < first.dueMs || (timer.dueMs === first.dueMs && timer.order < first.order)) {
        first = timer
      }
    }
    return first
  }
  const fire = (timer: Timer): void => {
    elapsedMs = Math.max(elapsedMs, timer.dueMs)
    if (timer.periodMs === undefined) timers.delete(timer)
    else timer.dueMs += Math.max(timer.periodMs, 1)
    timer.task()
  }

  return {
    nowMs: () => wallOffsetMs + elapsedMs,
    monotonicMs: () => elapsedMs,
    sleep: (durationMs, signal) =>
      new Promise((resolve, reject) => {
        const reason = (): Error => (signal?.reason instanceof Error ? signal.reason : new Error('aborted'))
        if (signal?.aborted === true) {
          reject(reason())
          return
        }
        const abort = (): void => {
          timer[Symbol.dispose]()
          reject(reason())
        }
        const timer = start(durationMs, () => {
          signal?.removeEventListener('abort', abort)
          resolve()
        })
        signal?.addEventListener('abort', abort, { once: true })
      }),
    after: (durationMs, task) => start(durationMs, task),
    every: (periodMs, task) => start(periodMs, task, periodMs),
    settle: turn,
    advance: async (durationMs) => {
      const untilMs = elapsedMs + durationMs
      await turn()
      for (let timer = next(untilMs); timer !== undefined; timer = next(untilMs)) {
        fire(timer)
        await turn()
      }
      elapsedMs = untilMs
      await turn()
    },
    shiftWallClock: (offsetMs) => {
      wallOffsetMs += offsetMs
    },
    pendingCount: () => timers.size
  }
}
