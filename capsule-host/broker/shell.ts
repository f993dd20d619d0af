import type { GrantAnswer, GrantQuestion } from '#providers'

/** Decides what capsules may do: a shell capsule behind the broker, or a rule. */
export interface Shell {
  /**
   * Decides one question. Never waited for beyond the question's `expiresAtMs`; `signal` then aborts, or when the
   * capsule has ended.
   */
  decide(question: GrantQuestion, signal: AbortSignal): Promise<GrantAnswer>
}

/** A shell that denies everything, and forgets that it did: the default until one is chosen. */
export const denyingShell: Shell = {
  decide: async () => ({ isAllowed: false, isDurable: false, decidedBy: 'policy' })
}
