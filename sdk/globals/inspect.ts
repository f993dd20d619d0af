/** Depth to which objects are shown, and entries of each. */
const DEPTH_MAX = 4
const ENTRIES_MAX = 100

/** A value for a person to read, as `console.log` shows it. Shows errors with where they come from. */
export function inspect(value: unknown): string {
  return typeof value === 'string' ? value : describe(value, [])
}

function describe(value: unknown, parents: readonly object[]): string {
  switch (typeof value) {
    case 'string':
      return JSON.stringify(value)
    case 'bigint':
      return `${value}n`
    case 'symbol':
      return value.toString()
    case 'function':
      return `[function ${value.name}]`
    case 'object':
      return value === null ? 'null' : describeObject(value, parents)
    case 'number':
    case 'boolean':
    case 'undefined':
      return String(value)
  }
}

function describeObject(value: object, parents: readonly object[]): string {
  if (value instanceof Error) return describeError(value, parents)
  if (parents.includes(value)) return '[circular]'
  if (parents.length >= DEPTH_MAX) return Array.isArray(value) ? '[…]' : '{…}'
  const inner = [...parents, value]
  if (Array.isArray(value))
    return list(
      '[',
      ']',
      value.map((item) => describe(item, inner))
    )
  if (ArrayBuffer.isView(value) && 'length' in value) {
    return `${value.constructor.name}(${String(value.length)}) ${list('[', ']', Array.from(value as Uint8Array, String))}`
  }
  if (value instanceof Map) {
    return `Map ${list(
      '{',
      '}',
      Array.from(value, ([key, item]) => `${describe(key, inner)}: ${describe(item, inner)}`)
    )}`
  }
  if (value instanceof Set)
    return `Set ${list(
      '{',
      '}',
      Array.from(value, (item) => describe(item, inner))
    )}`
  if (value instanceof Date) return value.toISOString()
  return list(
    '{',
    '}',
    Object.entries(value).map(([key, item]) => `${key}: ${describe(item, inner)}`)
  )
}

function describeError(error: Error, parents: readonly object[]): string {
  const head = `${error.name}: ${error.message}`
  const stack = error.stack === undefined || error.stack === '' ? '' : `\n${error.stack.trimEnd()}`
  const cause =
    error.cause === undefined || parents.length >= DEPTH_MAX
      ? ''
      : `\ncaused by ${describe(error.cause, [...parents, error])}`
  return head + stack + cause
}

function list(open: string, close: string, items: readonly string[]): string {
  const shown = items.slice(0, ENTRIES_MAX)
  if (items.length > shown.length) shown.push(`… ${items.length - shown.length} more`)
  return shown.length === 0 ? open + close : `${open} ${shown.join(', ')} ${close}`
}
