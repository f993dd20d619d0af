/**
 * Runs events one by one: whatever hangs on one, microtasks and ticks, has run out before the next begins. Nothing of the
 * process is replaced, and no time passes but the time it takes.
 */
export async function drive(runNext: () => boolean): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const turn = (): void => {
      try {
        if (!runNext()) {
          resolve()
          return
        }
      } catch (error) {
        reject(error instanceof Error ? error : new Error(String(error)))
        return
      }
      setImmediate(turn)
    }
    setImmediate(turn)
  })
}

/** Real time, for telling a person how long it took. Milliseconds since an arbitrary point. */
export function realMs(): number {
  return performance.now()
}
