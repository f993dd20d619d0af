import { SimError } from './errors.ts'

/** A length of virtual time: a number and `ms`, `s`, `m`, `h` or `d`. */
export type Duration = `${number}${'ms' | 's' | 'm' | 'h' | 'd'}`

const UNITS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000
}

/**
 * Milliseconds of a text such as `90s`, `2h` or `1.5d`.
 *
 * @throws SimError `ERR_SIM_OPTION`
 */
export function millisecondsOf(text: string): number {
  const [, amount = '', unit = ''] = /^(\d{1,9}(?:\.\d{1,3})?)(ms|s|m|h|d)$/.exec(text) ?? []
  const ms = Math.round(Number(amount) * (UNITS[unit] ?? NaN))
  if (amount !== '' && Number.isSafeInteger(ms)) return ms
  throw new SimError('ERR_SIM_OPTION', `expected a duration such as 90s, 10m or 2h, got ${text.slice(0, 40)}`)
}
