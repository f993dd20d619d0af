import { parseDuration } from '#contracts'
import { SimError } from './errors.ts'

/** A length of virtual time: a number and `ms`, `s`, `m`, `h` or `d`. */
export type Duration = `${number}${'ms' | 's' | 'm' | 'h' | 'd'}`

/**
 * Milliseconds of a text such as `90s`, `2h` or `1.5d`.
 *
 * @throws SimError `ERR_SIM_OPTION`
 */
export function millisecondsOf(text: string): number {
  const ms = parseDuration(text)
  if (ms !== undefined) return ms
  throw new SimError('ERR_SIM_OPTION', `expected a duration such as 90s, 10m or 2h, got ${text.slice(0, 40)}`)
}
