import type { Clock } from '#contracts'
import { LISTENERS_MAX, SUMMARY_MS, VERDICT_BURST, VERDICTS_PER_SECOND } from './constants.ts'

/** Verdicts of one session that were not written one by one. */
export interface VerdictSummary {
  readonly lineage: string
  readonly sessionId: string
  readonly sinceMs: number
  readonly allowed: number
  readonly refused: number
}

interface SessionBudget {
  readonly lineage: string
  left: number
  atMs: number
  sinceMs: number
  allowed: number
  refused: number
}

/**
 * Keeps a capsule that asks without end from washing everybody's history out of the log: beyond a rate, verdicts that took no use
 * are counted and written as a sum.
 */
export class VerdictBudget implements Disposable {
  readonly #clock: Clock
  readonly #write: (summary: VerdictSummary) => void
  readonly #sessions = new Map<string, SessionBudget>()
  #timer: Disposable | undefined

  constructor(clock: Clock, write: (summary: VerdictSummary) => void) {
    this.#clock = clock
    this.#write = write
  }

  /** Whether a verdict may have an entry of its own; if not it was counted. */
  take(lineage: string, sessionId: string, isAllowed: boolean): boolean {
    const budget = this.#budgetOf(lineage, sessionId)
    const nowMs = this.#clock.monotonicMs()
    budget.left = Math.min(VERDICT_BURST, budget.left + ((nowMs - budget.atMs) * VERDICTS_PER_SECOND) / 1000)
    budget.atMs = nowMs
    if (budget.left >= 1) {
      budget.left -= 1
      return true
    }
    if (budget.allowed + budget.refused === 0) budget.sinceMs = Math.max(0, Math.trunc(this.#clock.nowMs()))
    if (isAllowed) budget.allowed += 1
    else budget.refused += 1
    this.#timer ??= this.#clock.after(SUMMARY_MS, () => this.writeAll())
    return false
  }

  /** Writes every sum. */
  writeAll(): void {
    this.#timer?.[Symbol.dispose]()
    this.#timer = undefined
    for (const sessionId of this.#sessions.keys()) this.#writeOne(sessionId)
  }

  /** Writes the sum of a session that is over, and forgets it. */
  end(sessionId: string): void {
    this.#writeOne(sessionId)
    this.#sessions.delete(sessionId)
  }

  [Symbol.dispose](): void {
    this.writeAll()
  }

  #budgetOf(lineage: string, sessionId: string): SessionBudget {
    const known = this.#sessions.get(sessionId)
    if (known !== undefined) return known
    for (const oldest of this.#sessions.size >= LISTENERS_MAX ? this.#sessions.keys().take(1) : [])
      this.end(oldest)
    const atMs = this.#clock.monotonicMs()
    const fresh = { lineage, left: VERDICT_BURST, atMs, sinceMs: 0, allowed: 0, refused: 0 }
    this.#sessions.set(sessionId, fresh)
    return fresh
  }

  #writeOne(sessionId: string): void {
    const budget = this.#sessions.get(sessionId)
    if (budget === undefined || budget.allowed + budget.refused === 0) return
    const { lineage, sinceMs, allowed, refused } = budget
    budget.allowed = 0
    budget.refused = 0
    this.#write({ lineage, sessionId, sinceMs, allowed, refused })
  }
}
