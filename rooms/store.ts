/** One change of a {@link RoomStore}: a value that is put, or a key that goes. */
export interface RoomStoreChange {
  readonly key: string
  /** Absent: the key goes. */
  readonly value?: Uint8Array
}

/** Where rooms remember what was said, declared here by its consumer; keys are ASCII and sort as they are. */
export interface RoomStore {
  /** Makes all changes or none, whatever happens to the process; they survive it once this resolves. */
  write(changes: readonly RoomStoreChange[]): Promise<void>
  get(key: string): Promise<Uint8Array | undefined>
  /** Everything under a prefix, in the order of the keys. */
  entries(prefix: string): AsyncIterable<readonly [key: string, value: Uint8Array]>
}

/** A store that forgets when the process ends. */
export function createMemoryRoomStore(): RoomStore {
  const values = new Map<string, Uint8Array>()
  return {
    write: async (changes) => {
      await Promise.resolve()
      for (const { key, value } of changes) {
        if (value === undefined) values.delete(key)
        else values.set(key, value)
      }
    },
    get: async (key) => await Promise.resolve(values.get(key)),
    entries: async function* (prefix) {
      await Promise.resolve()
      const keys = [...values.keys()].filter((key) => key.startsWith(prefix)).sort()
      for (const key of keys) {
        const value = values.get(key)
        if (value !== undefined) yield [key, value] as const
      }
    }
  }
}
