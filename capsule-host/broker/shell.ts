import type { GrantAnswer, GrantQuestion } from '#providers'

/** Decides what capsules may do: a shell capsule behind the broker, or a rule. */
export interface Shell {
  /**
   * Decides one question. Never waited for beyond the question's `expiresAtMs`; `signal` then aborts, or when the
   * capsule has ended.
   */
  decide(question: GrantQuestion, signal: AbortSignal): Promise<GrantAnswer>
}
