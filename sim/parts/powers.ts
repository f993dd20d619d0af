/** Events of one turn of the event loop: a turn for each would take longer than many events do. */
const EVENTS_A_TURN = 64

/**
 * Runs events one by one: whatever hangs on one, microtasks and ticks, has run out before the next begins, as Node does between
 * two immediates. Nothing of the process is replaced, and no time passes but the time it takes.
 */
export async function drive(runNext: () => boolean): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  let isOver = false
  const step = (): void => {
    if (isOver) return
    try {
      if (runNext()) return
      resolve()
    } catch (error) {
      reject(error instanceof Error ? error : new Error(String(error)))
    }
    isOver = true
  }
  const turn = (): void => {
    if (isOver) return
    for (let count = 0; count < EVENTS_A_TURN; count++) setImmediate(step)
    setImmediate(turn)
  }
  turn()
  await promise
}

/** Real time, for telling a person how long it took. Milliseconds since an arbitrary point. */
export function realMs(): number {
  return performance.now()
}
