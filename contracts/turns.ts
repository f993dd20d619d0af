/** Runs tasks of the same key one after the other, in the order they came; tasks of different keys do not wait. */
export interface Turns {
  /** Runs `task` when those before it have ended, however they ended. */
  take<T>(key: string, task: () => Promise<T>): Promise<T>
}

/** Makes an empty set of queues; a queue is forgotten when its last task has ended. */
export function createTurns(): Turns {
  const last = new Map<string, Promise<unknown>>()
  return {
    take: (key, task) => {
      const run = (last.get(key) ?? Promise.resolve()).then(task, task)
      const settled = run.then(
        () => undefined,
        () => undefined
      )
      last.set(key, settled)
      void settled.then(() => {
        if (last.get(key) === settled) last.delete(key)
      })
      return run
    }
  }
}
