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

/** The value of an option with few choices, to which the parser holds it; `undefined` when it was not given. */
export function choiceOption<T extends string>(
  input: CommandInput,
  name: string,
  choices: readonly T[]
): T | undefined {
  const text = textOption(input, name)
  return choices.find((choice) => choice === text)
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

const BYTE_UNITS: Readonly<Record<string, number>> = {
  '': 1,
  B: 1,
  KiB: 1024,
  MiB: 1024 ** 2,
  GiB: 1024 ** 3,
  TiB: 1024 ** 4,
  kB: 1e3,
  MB: 1e6,
  GB: 1e9,
  TB: 1e12
}
/** The smallest cap: below it a block of 1 MiB takes longer than peers wait. */
const RATE_BYTES_MIN = 64 * 1024

/** Bytes a second, `off` as 0. @throws CliError ERR_USAGE when it is no such amount, or too small to work with */
export function rateOption(input: CommandInput, name: string, flag: string): number | undefined {
  const text = textOption(input, name)
  if (text === undefined || text === 'off') return text === undefined ? undefined : 0
  const [, amount = '', unit = ''] = /^(\d{1,9}(?:\.\d{1,3})?) ?([A-Za-z]{0,3})(?:\/s)?$/.exec(text) ?? []
  const bytes = amount === '' ? NaN : Math.floor(Number(amount) * (BYTE_UNITS[unit] ?? NaN))
  if (bytes >= RATE_BYTES_MIN && Number.isSafeInteger(bytes)) return bytes
  throw new CliError(
    'ERR_USAGE',
    `expected ${flag} as bytes a second from 64KiB, such as 5MiB, or off; got ${text.slice(0, 40)}`
  )
}

/** A number of bytes, such as 20GiB. @throws CliError ERR_USAGE when it is none */
export function bytesOption(input: CommandInput, name: string): number | undefined {
  const text = textOption(input, name)
  if (text === undefined) return undefined
  const [, amount = '', unit = ''] = /^(\d{1,15}(?:\.\d{1,3})?) ?([A-Za-z]{0,3})$/.exec(text) ?? []
  const bytes = amount === '' ? NaN : Math.floor(Number(amount) * (BYTE_UNITS[unit] ?? NaN))
  if (Number.isSafeInteger(bytes)) return bytes
  throw new CliError('ERR_USAGE', `expected a number of bytes, such as 20GiB; got ${text.slice(0, 40)}`)
}

/** A whole number from 1. @throws CliError ERR_USAGE when it is not one, or above `max` */
export function countOption(input: CommandInput, name: string, max: number): number | undefined {
  const text = textOption(input, name)
  if (text === undefined) return undefined
  const count = Number(text)
  if (Number.isInteger(count) && count > 0 && count <= max) return count
  throw new CliError(
    'ERR_USAGE',
    `expected --${name} as a whole number from 1 to ${max}, got ${text.slice(0, 40)}`
  )
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

/**
 * Bytes `first-last` of a file, both counted from 0 and both in it, or `first-` for all from there on.
 *
 * @throws CliError ERR_USAGE when it is neither
 */
export function rangeOption(
  input: CommandInput,
  name: string
): { offset: number; length: number } | undefined {
  const text = textOption(input, name)
  if (text === undefined) return undefined
  const [, first, last] = /^(\d{1,15})-(\d{0,15})$/.exec(text) ?? []
  if (first !== undefined && last !== undefined) {
    const offset = Number(first)
    const length = last === '' ? Number.MAX_SAFE_INTEGER - offset : Number(last) + 1 - offset
    if (length > 0) return { offset, length }
  }
  throw new CliError('ERR_USAGE', `expected --${name} as first-last, got ${text.slice(0, 40)}`)
}
