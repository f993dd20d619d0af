export function exitCodeOf(code: string): number {
  return code === 'ERR_USAGE' ? 2 : 1
}
