/**
 * `value` as a map with exactly the keys `required` and any of `optional`, or `undefined`: an unknown key is as wrong
 * as a missing one, so that two readers never understand the same bytes differently.
 */
export function readMap(
  value: unknown,
  required: readonly string[],
  optional: readonly string[] = []
): Readonly<Record<string, unknown>> | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value) || value instanceof Uint8Array) {
    return undefined
  }
  const keys = Object.keys(value)
  if (!required.every((key) => keys.includes(key))) return undefined
  if (!keys.every((key) => required.includes(key) || optional.includes(key))) return undefined
  return value as Readonly<Record<string, unknown>>
}

/** Whether `value` is a whole number that is exact in JavaScript and not negative. */
export function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0
}
