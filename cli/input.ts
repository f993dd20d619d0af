import { CliError } from './errors.ts'
import type { CommandInput } from './context.ts'

/** The text of a required argument. @throws CliError ERR_USAGE when it is missing */
export function requiredArgument(input: CommandInput, name: string): string {
  const value = input.args[name]
  if (typeof value === 'string' && value !== '') return value
  throw new CliError('ERR_USAGE', `expected an argument ${name.toUpperCase()}`)
}

/** The text of an optional argument. */
export function optionalArgument(input: CommandInput, name: string): string | undefined {
  const value = input.args[name]
  return typeof value === 'string' && value !== '' ? value : undefined
}

/** The rest of the arguments, in order. */
export function restArguments(input: CommandInput, name: string): string[] {
  const value = input.args[name]
  return Array.isArray(value) ? value : []
}

/** The text of an option, or `undefined` when it was not given. */
export function textOption(input: CommandInput, name: string): string | undefined {
  const value = input.options[name]
  return typeof value === 'string' ? value : undefined
}

/** The values of an option that may be repeated. */
export function listOption(input: CommandInput, name: string): string[] {
  const value = input.options[name]
  if (Array.isArray(value)) return value
  return typeof value === 'string' ? [value] : []
}

/** Whether a switch was given. */
export function switchOption(input: CommandInput, name: string): boolean {
  return input.options[name] === true
}

/** A whole number of seconds as milliseconds. @throws CliError ERR_USAGE when it is not a positive whole number */
export function secondsOption(input: CommandInput, name: string): number | undefined {
  const text = textOption(input, name)
  if (text === undefined) return undefined
  const seconds = Number(text)
  if (Number.isInteger(seconds) && seconds > 0 && seconds <= 86_400) return seconds * 1000
  throw new CliError(
    'ERR_USAGE',
    `expected --${name} as whole seconds from 1 to 86400, got ${text.slice(0, 40)}`
  )
}
