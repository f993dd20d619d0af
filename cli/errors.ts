import { CodedError } from '#contracts'

/** What a command itself can get wrong or find missing; a node's own codes pass through unchanged. */
export type CliCode =
  | 'ERR_USAGE'
  | 'ERR_TERMINAL_NEEDED'
  | 'ERR_NODE_NOT_RUNNING'
  | 'ERR_NODE_START_FAILED'
  | 'ERR_NODE_ALREADY_RUNNING'
  | 'ERR_NODE_UNREACHABLE'
  | 'ERR_CONTROL_PROTOCOL'
  | 'ERR_CANCELLED'
  | 'ERR_DEADLINE'
  | 'ERR_SIMULATOR_ENDED'

/** An error of the command line itself. */
export class CliError extends CodedError<CliCode> {}

/** An error that the node answered: its code and sentence, as it sent them. */
export class RemoteError extends CodedError {
  /** What mends it, or what a compiler said, a line each. */
  readonly detail: readonly string[]

  constructor(code: string, message: string, detail: readonly string[] = []) {
    super(code, message)
    this.detail = detail
  }
}
