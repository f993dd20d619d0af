const UNITS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000
}

/** Whole milliseconds of a text such as `90s`, `2h` or `1.5d`; `undefined` when it says no duration. */
export function parseDuration(text: string): number | undefined {
  const [, amount = '', unit = ''] = /^(\d{1,9}(?:\.\d{1,3})?)(ms|s|m|h|d)$/.exec(text) ?? []
  const ms = Math.round(Number(amount) * (UNITS[unit] ?? NaN))
  return amount !== '' && Number.isSafeInteger(ms) ? ms : undefined
}
