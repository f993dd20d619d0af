import type { CommandAction } from './context.ts'
import type { OptionSpec } from './options.ts'

/** One command: all that help, completion, the parser and the documentation need. */
export interface CommandSpec {
  /** The words that name it, such as `['capsule', 'run']`. */
  readonly path: readonly string[]
  /** Arguments in commander's syntax, such as `<cid>` or `[room]`. */
  readonly args?: readonly string[]
  readonly options?: readonly OptionSpec[]
  /** Values of its argument, where they are few: what completion offers. */
  readonly choices?: readonly string[]
  readonly summary: string
  readonly example: string
  /** It talks to a node and starts one when none runs, so it takes the options of `node start` too. */
  readonly needsNode?: boolean
  /** Loads the code that runs it; nothing of a command is loaded before it runs. */
  readonly load: () => Promise<{ run: CommandAction }>
}
