import type { Clock } from './clock.ts'

/** How much of something each name may have. */
export interface RateInit {
  /** At once after a pause. */
  readonly burst: number
  /** How often one more in the long run. */
  readonly everyMs: number
  /** Names whose rate is remembered; the one that had something longest ago is forgotten first. */
  readonly namesMax: number
}

/** A bucket of tokens for each name: whether it may have one more now; if so that is counted. */
export function createRate(
  clock: Pick<Clock, 'monotonicMs'>,
  { burst, everyMs, namesMax }: RateInit
): (name: string) => boolean {
  const paidUntilMs = new Map<string, number>()
  return (name) => {
    const nowMs = clock.monotonicMs()
    const fromMs = Math.max(paidUntilMs.get(name) ?? -Infinity, nowMs - burst * everyMs)
    if (fromMs + everyMs > nowMs) return false
    // deleting and setting again keeps the map in order of use
    paidUntilMs.delete(name)
    paidUntilMs.set(name, fromMs + everyMs)
    if (paidUntilMs.size > namesMax)
      for (const oldest of paidUntilMs.keys().take(1)) paidUntilMs.delete(oldest)
    return true
  }
}
