/** What promises resolve with, the first one first; those that reject are left out. */
export async function* asTheyCome<T>(promises: readonly Promise<T>[]): AsyncGenerator<T> {
  type Settled = { readonly index: number; readonly values: readonly T[] }
  const pending = new Map<number, Promise<Settled>>()
  promises.forEach((promise, index) => {
    const settled = promise.then(
      (value) => ({ index, values: [value] }),
      () => ({ index, values: [] })
    )
    pending.set(index, settled)
  })
  while (pending.size > 0) {
    const { index, values } = await Promise.race(pending.values())
    pending.delete(index)
    yield* values
  }
}
