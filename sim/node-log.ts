import type { LogFields, Logger } from '#contracts'
import { LOG_LINES_MAX } from './constants.ts'

/** The logs of all nodes: the last warnings and errors, to be shown with a failure. */
export interface NodeLogs {
  /** The log of one node. */
  loggerOf(name: string): Logger
  /** What they warned of last, oldest first. */
  tail(): readonly string[]
}

/** Creates the logs; `nowMs` is virtual time since the simulation began. */
export function createNodeLogs(nowMs: () => number): NodeLogs {
  const lines: string[] = []
  const write = (level: string, who: string) => (event: string, fields?: LogFields) => {
    lines.push(`${nowMs()} ${who} ${level}: ${event} ${JSON.stringify(fields ?? {})}`)
    if (lines.length > LOG_LINES_MAX) lines.shift()
  }
  const loggerOf = (who: string): Logger => ({
    debug: () => undefined,
    info: () => undefined,
    warn: write('warn', who),
    error: write('error', who),
    child: (component) => loggerOf(`${who} ${component}`)
  })
  return { loggerOf, tail: () => [...lines] }
}
