import { commandCovers, parseCommandPattern, parseResourcePattern, resourceCovers } from '#capability'
import { orAborted, type Clock, type Logger, type Random } from '#contracts'
import { CONTRACTS, type GrantAnswer, type GrantQuestion } from '#providers'
import { QUESTION_MS_MAX, QUESTION_PAUSE_MS, QUESTIONS_MAX } from './constants.ts'
import { refusal } from './refusal.ts'
import type { Shell } from './shell.ts'

/** A question without what only the host adds. */
export type OpenQuestion = Omit<GrantQuestion, 'id' | 'askedAtMs' | 'expiresAtMs'>

/** Puts capsules' questions to the shell: one at a time of a capsule, none for ever. */
export interface Questions {
  /**
   * Asks, checks that the answer is no wider than the question, and has it settled: until then nothing else of the same
   * capsule is asked, which may be the same again.
   *
   * @throws Refusal `ERR_CAPABILITY_PENDING`, `ERR_CHANNEL_BUSY`, `ERR_CAPABILITY_UNANSWERED`, `ERR_CAPABILITY_DENIED` when the
   * shell failed or answered nonsense; the reason of `signal`
   */
  ask<T>(question: OpenQuestion, settle: (answer: GrantAnswer) => Promise<T>, signal: AbortSignal): Promise<T>
}

/** What {@link createQuestions} works with. */
export interface QuestionsComponents {
  readonly shell: Shell
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
}

/** Questions to one shell. */
export function createQuestions({ shell, clock, random, logger }: QuestionsComponents): Questions {
  /** Lineages with an open question: several runs of a capsule ask no more than one. */
  const open = new Set<string>()
  /** Until when a lineage whose question nobody answered has to wait. */
  const paused = new Map<string, number>()

  const checkTurn = (lineage: string): void => {
    if (open.has(lineage)) throw refusal('ERR_CAPABILITY_PENDING')
    if (open.size >= QUESTIONS_MAX) throw refusal('ERR_CHANNEL_BUSY')
    const nowMs = clock.monotonicMs()
    for (const [other, untilMs] of paused) if (untilMs <= nowMs) paused.delete(other)
    if (paused.has(lineage)) throw refusal('ERR_CAPABILITY_UNANSWERED')
  }
  return {
    ask: async (asked, settle, signal) => {
      const { lineage } = asked.capsule
      checkTurn(lineage)
      open.add(lineage)
      const askedAtMs = clock.nowMs()
      const id = Buffer.from(random.bytes(8)).toString('hex')
      const question = { ...asked, id, askedAtMs, expiresAtMs: askedAtMs + QUESTION_MS_MAX }
      const expiry = new AbortController()
      using _timer = clock.after(QUESTION_MS_MAX, () => {
        if (paused.size < QUESTIONS_MAX) paused.set(lineage, clock.monotonicMs() + QUESTION_PAUSE_MS)
        expiry.abort(refusal('ERR_CAPABILITY_UNANSWERED'))
      })
      const decide = async (): Promise<GrantAnswer> => {
        try {
          const either = AbortSignal.any([signal, expiry.signal])
          return checkAnswer(question, await orAborted(shell.decide(question, either), either))
        } catch (thrown) {
          expiry.signal.throwIfAborted()
          signal.throwIfAborted()
          logger.warn('shell did not decide', { capsule: asked.capsule.name, error: String(thrown) })
          throw refusal('ERR_CAPABILITY_DENIED', thrown)
        }
      }
      try {
        return await settle(await decide())
      } finally {
        open.delete(lineage)
      }
    }
  }
}

const ANSWER = CONTRACTS.get('shell@1')?.commands['decide']

/** @throws Error when the answer breaks the contract, or is wider than the question */
function checkAnswer(question: GrantQuestion, said: unknown): GrantAnswer {
  if (ANSWER?.kind !== 'call') throw new Error('expected the contract of the shell')
  const answer = ANSWER.result.parse(said) as GrantAnswer
  if (!answer.isAllowed) return answer
  const command = parseCommandPattern(answer.command ?? question.command)
  const resource = parseResourcePattern(answer.resource ?? question.resource)
  if (!commandCovers(question.command, command) || !resourceCovers(question.resource, resource)) {
    throw new Error('expected an answer no wider than the question')
  }
  const isPicked = question.pick === undefined || question.pick === 'folder' || !resource.endsWith('/*')
  if (!isPicked) throw new Error(`expected one ${question.pick ?? ''} to be picked`)
  return { ...answer, command, resource }
}
