/** What was worked out of a key lately. */
export interface Recent<Value> {
  get(key: string): Value | undefined
  set(key: string, value: Value): void
}

/**
 * Remembers the values set or read last, at least half as many as `sizeMax` and never more: two generations, of which the
 * older one is forgotten as a whole. That costs a fraction of keeping entries in order of use, one by one.
 *
 * @param sizeMax - an even number of entries
 */
export function createRecent<Value>(sizeMax: number): Recent<Value> {
  const generationMax = Math.max(1, Math.floor(sizeMax / 2))
  let young = new Map<string, Value>()
  let old = new Map<string, Value>()
  const set = (key: string, value: Value): void => {
    if (young.size >= generationMax && !young.has(key)) {
      old = young
      young = new Map()
    }
    young.set(key, value)
  }
  return {
    set,
    get: (key) => {
      const value = young.get(key)
      if (value !== undefined) return value
      const older = old.get(key)
      if (older !== undefined) set(key, older)
      return older
    }
  }
}
