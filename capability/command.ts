import { COMMAND_CHARS_MAX } from './constants.ts'
import { CapabilityError } from './errors.ts'

const COMMAND = /^[a-z][a-z0-9-]{0,31}\/[a-z][a-z0-9-]{0,31}$/
const PATTERN = /^[a-z][a-z0-9-]{0,31}\/(?:\*|[a-z][a-z0-9-]{0,31})$/

/**
 * `text`, when it is one command: `provider/verb`, such as `localhost/read`. Both are 1 to 32 lower-case letters,
 * digits and hyphens, beginning with a letter.
 *
 * @throws CapabilityError `ERR_COMMAND_INVALID`
 */
export function parseCommand(text: string): string {
  if (!isCommand(text)) throw invalid('a command such as localhost/read', text)
  return text
}

/**
 * `text`, when it is one command or every command of one provider: `localhost/read` or `localhost/*`.
 *
 * @throws CapabilityError `ERR_COMMAND_INVALID`
 */
export function parseCommandPattern(text: string): string {
  if (text.length > COMMAND_CHARS_MAX || !PATTERN.test(text)) {
    throw invalid('a command such as localhost/read, or localhost/*', text)
  }
  return text
}

/** Whether `text` is one command in its normal form. */
export function isCommand(text: string): boolean {
  return text.length <= COMMAND_CHARS_MAX && COMMAND.test(text)
}

/** Whether the pattern allows all that `command`, itself a command or a pattern, does. Both must have been parsed. */
export function commandCovers(pattern: string, command: string): boolean {
  if (pattern === command) return true
  return pattern.endsWith('/*') && command.startsWith(pattern.slice(0, -1))
}

function invalid(expected: string, text: string): CapabilityError {
  const shown = JSON.stringify(
    text.length > COMMAND_CHARS_MAX ? `${text.slice(0, COMMAND_CHARS_MAX)}…` : text
  )
  return new CapabilityError('ERR_COMMAND_INVALID', `expected ${expected}, got ${shown}`)
}
