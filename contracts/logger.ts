/** Fields of one log line; values are JSON scalars. Never a secret, a token or a message text. */
export type LogFields = Readonly<Record<string, string | number | boolean | undefined>>

/** A structured log: one short lower-case event a line and its fields. */
export interface Logger {
  debug(event: string, fields?: LogFields): void
  info(event: string, fields?: LogFields): void
  warn(event: string, fields?: LogFields): void
  error(event: string, fields?: LogFields): void
  /** A logger whose lines carry `component`. */
  child(component: string): Logger
}

/** A logger that says nothing, for tests and for embedding. */
export const silentLogger: Logger = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
  child: () => silentLogger
}
