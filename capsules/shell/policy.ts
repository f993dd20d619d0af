import type { GrantAnswer, GrantQuestion } from '#providers'

/** Who answers: `auto` allows everything for as long as the capsule runs, `prompt` asks a person. */
export type ShellMode = 'auto' | 'prompt'

/** Every mode. */
export const SHELL_MODES: readonly ShellMode[] = ['auto', 'prompt']

/** What a decision is made with. */
export interface ShellPolicy {
  readonly mode: ShellMode
  /** Puts the question to a person. @throws when nobody can be asked */
  askPerson(question: GrantQuestion): Promise<GrantAnswer>
}

const NO: GrantAnswer = { isAllowed: false, isDurable: false, decidedBy: 'policy' }

/**
 * Decides one question. Whatever is decided here, the host grants no more than what the capsule asked for, and never
 * more than its manifest's ceiling.
 */
export async function decide(question: GrantQuestion, policy: ShellPolicy): Promise<GrantAnswer> {
  if (policy.mode === 'auto' && !isPick(question)) {
    // For this run only: what a developer's shell allowed must not be there when a person's shell takes over.
    return { isAllowed: true, scope: 'session', decidedBy: 'auto' }
  }
  return judge(question, await policy.askPerson(question))
}

/** Picking one file or person among many is no yes or no: only a person can. */
function isPick({ pick }: GrantQuestion): boolean {
  return pick !== undefined && pick !== 'folder'
}

/** What a person said, unless it cannot have been meant so. */
function judge(question: GrantQuestion, answer: GrantAnswer): GrantAnswer {
  if (!answer.isAllowed) return answer
  // A one-time yes for everything below a place would be used up by its first use, whatever that is: that is a yes to
  // something nobody saw. Once means the one thing that was asked for.
  const resource = answer.resource ?? question.resource
  if (isPick(question) && resource.endsWith('/*')) return NO
  return answer
}
