import type { AuthorityStore } from './store.ts'

/** Beside the keys of the store. */
const MARK = 'mark'

/** A store in memory, for tests and simulated nodes. Opening another one over the same `records` is a restart. */
export function createMemoryAuthorityStore(records: Map<string, Uint8Array> = new Map()): AuthorityStore {
  return {
    get: async (key) => records.get(key),
    entries: async function* ({ from, to, isReversed = false, limit = Infinity }) {
      const found = [...records].filter(([key]) => key >= from && key <= to)
      found.sort(([a], [b]) => (a < b === isReversed ? 1 : -1))
      yield* found.slice(0, limit)
    },
    write: async (changes) => {
      for (const change of changes) {
        if (change.type === 'put') records.set(change.key, Uint8Array.from(change.value))
        else records.delete(change.key)
      }
    },
    readMark: async () => records.get(MARK),
    writeMark: async (bytes) => void records.set(MARK, Uint8Array.from(bytes)),
    setAside: async () => records.clear(),
    [Symbol.asyncDispose]: async () => undefined
  }
}
