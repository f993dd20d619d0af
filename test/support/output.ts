/** How long to wait and what to say when it was in vain. */
export interface Wait {
  /** Default 15 s: a bound for a broken run, not a measurement. */
  readonly timeoutMs?: number
  /** More text for the failure message, for example standard error. */
  readonly context?: () => string
}

/** Text that arrives from a process, kept and searchable. */
export interface Output {
  /** Everything so far. */
  text(): string
  /** Complete lines so far, without their ends. */
  lines(): readonly string[]
  /** The JSON objects among the lines so far. */
  events(): readonly Record<string, unknown>[]
  /** Resolves with the first text (from the beginning, or after `from` characters) that matches. */
  match(pattern: RegExp, o?: Wait & { from?: number }): Promise<RegExpExecArray>
  /** Resolves with the first complete line that satisfies `accepts`. */
  line(accepts: (line: string) => boolean, o?: Wait): Promise<string>
  /** Resolves with the first JSON line whose `event` is `name`. */
  event(name: string, o?: Wait): Promise<Record<string, unknown>>
}

/** An {@link Output} and its two ends. */
export interface OutputSource extends Output {
  push(text: string): void
  close(): void
}

const TIMEOUT_MS = 15_000
const KEPT_CHARACTERS_MAX = 8 * 1024 * 1024
const SHOWN_CHARACTERS = 2_000

/** Makes an empty output. */
export function createOutput(): OutputSource {
  let text = ''
  let isClosed = false
  const listeners = new Set<() => void>()
  const changed = (): void => {
    for (const listener of [...listeners]) listener()
  }
  const wait = <T>(find: () => T | undefined, what: string, o: Wait): Promise<T> =>
    new Promise((resolve, reject) => {
      const settle = (): void => {
        listeners.delete(check)
        clearTimeout(timer)
      }
      const fail = (why: string): void => {
        settle()
        const context = o.context?.() ?? ''
        reject(new Error(`${why} before ${what}; output:\n${tail(text)}\n${tail(context)}`))
      }
      const check = (): void => {
        const found = find()
        if (found === undefined) return isClosed ? fail('the output ended') : undefined
        settle()
        resolve(found)
      }
      const timeoutMs = o.timeoutMs ?? TIMEOUT_MS
      const timer = setTimeout(() => fail(`${String(timeoutMs)} ms passed`), timeoutMs)
      listeners.add(check)
      check()
    })
  const lines = (): string[] => text.split(/\r?\n/).slice(0, -1)
  const events = (): Record<string, unknown>[] => lines().flatMap(jsonObject)
  return {
    text: () => text,
    lines,
    events,
    match: (pattern, o = {}) =>
      wait(() => pattern.exec(text.slice(o.from ?? 0)) ?? undefined, String(pattern), o),
    line: (accepts, o = {}) => wait(() => lines().find(accepts), 'the expected line', o),
    event: (name, o = {}) =>
      wait(() => events().find((event) => event['event'] === name), `the event "${name}"`, o),
    push: (more) => {
      text += more
      if (text.length > KEPT_CHARACTERS_MAX) throw new Error('a process wrote more than a test may keep')
      changed()
    },
    close: () => {
      isClosed = true
      changed()
    }
  }
}

function jsonObject(line: string): Record<string, unknown>[] {
  if (!line.startsWith('{')) return []
  try {
    return [JSON.parse(line) as Record<string, unknown>]
  } catch {
    return []
  }
}

function tail(text: string): string {
  return text.length <= SHOWN_CHARACTERS ? text : `…${text.slice(-SHOWN_CHARACTERS)}`
}
