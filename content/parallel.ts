/**
 * Runs `task` for every item, `parallelMax` at a time, in the order of the items.
 *
 * @throws the first failure, after the tasks that had begun are over; no further task is begun then
 */
export async function forEachParallel<T>(
  items: Iterable<T> | AsyncIterable<T>,
  parallelMax: number,
  task: (item: T) => Promise<void>
): Promise<void> {
  const failures: unknown[] = []
  const running = new Set<Promise<void>>()
  try {
    for await (const item of items) {
      if (failures.length > 0) break
      const work: Promise<void> = task(item)
        .catch((thrown: unknown) => {
          failures.push(thrown)
        })
        .finally(() => running.delete(work))
      running.add(work)
      if (running.size >= parallelMax) await Promise.race(running)
    }
  } finally {
    await Promise.all(running)
  }
  if (failures.length > 0) throw failures[0]
}

/**
 * The results of `task` in the order of the items, computed up to `parallelMax` ahead of the reader.
 * Abandoning the iteration waits for the tasks that have begun.
 */
export async function* mapAhead<T, R>(
  items: Iterable<T> | AsyncIterable<T>,
  parallelMax: number,
  task: (item: T) => Promise<R>
): AsyncGenerator<R> {
  const ahead: Promise<R>[] = []
  try {
    for await (const item of items) {
      const work = task(item)
      // The failure is the reader's, when it comes to it; it must not count as unhandled before.
      work.catch(() => undefined)
      ahead.push(work)
      if (ahead.length >= parallelMax) yield await (ahead.shift() as Promise<R>)
    }
    for (let next = ahead.shift(); next !== undefined; next = ahead.shift()) yield await next
  } finally {
    await Promise.allSettled(ahead)
  }
}
