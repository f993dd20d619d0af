import { commandCovers, parseCommandPattern, parseResourcePattern, resourceCovers } from '#capability'
import type { Clock } from '#contracts'
import type { GrantAnswer, GrantQuestion } from '#providers'
import {
  MISSED_QUESTION_MS,
  PROMPT_CHOICES_MAX,
  PROMPT_QUESTIONS_MAX,
  UNWATCHED_QUESTIONS_MAX
} from '../constants.ts'
import { CapsuleError } from '../errors.ts'

/** A question as a person sees it. */
export interface ShownQuestion {
  readonly question: GrantQuestion
  /** What can be picked, for a question that wants one picked. */
  readonly choices: readonly PromptChoice[]
}

/** One thing to pick. */
export interface PromptChoice {
  /** What a person knows it by. */
  readonly label: string
  readonly resource: string
}

/** Somebody who watches a capsule run. */
export interface Watcher {
  /** Whether there is a person to ask; else they are told of what was refused. */
  readonly canAsk: boolean
  show(shown: ShownQuestion): void
  /** The question is no longer open: answered elsewhere, expired, or the capsule ended. */
  withdraw(id: string): void
  /** Nobody could be asked. */
  refused(question: GrantQuestion): void
}

/** A question without an answer. */
export interface PendingQuestion extends ShownQuestion {
  /** Whether the capsule still waits; else an answer is for the next time it asks. */
  readonly isWaiting: boolean
}

/** What {@link createPromptDesk} works with. */
export interface PromptDeskComponents {
  readonly clock: Pick<Clock, 'nowMs'>
  /** What a person can pick for this question. */
  readonly choicesOf: (question: GrantQuestion) => Promise<readonly PromptChoice[]>
  /** Keeps an answer to a question that nobody waits for any more. */
  readonly keep: (question: GrantQuestion, answer: GrantAnswer) => Promise<void>
}

/** Where capsules' questions meet people. */
export interface PromptDesk {
  /**
   * Asks whoever watches the capsule run. With nobody watching it waits to be answered from elsewhere, until `signal`;
   * with a watcher that cannot be asked it is refused at once.
   */
  ask(question: GrantQuestion, signal: AbortSignal): Promise<GrantAnswer>
  /** Somebody watches a lineage run, until disposed. */
  watch(lineage: string, watcher: Watcher): Disposable
  /** Open questions, and those that were missed within a day. */
  pending(): PendingQuestion[]
  /**
   * Answers a question.
   *
   * @throws CapsuleError `ERR_QUESTION_UNKNOWN`; `ERR_ANSWER_INVALID` for an answer that is wider than the question, or
   * picks nothing, or would have ended with a run that is over
   */
  answer(id: string, answer: GrantAnswer): Promise<{ isWaiting: boolean }>
}

interface Entry {
  readonly shown: ShownQuestion
  readonly waiting: PromiseWithResolvers<GrantAnswer> | undefined
}

const REFUSED: GrantAnswer = { isAllowed: false, isDurable: false, decidedBy: 'policy' }

/** A desk without questions. */
export function createPromptDesk(components: PromptDeskComponents): PromptDesk {
  const entries = createEntries(components.clock)
  const watchers = createWatchers()
  return {
    ask: async (question, signal) => {
      signal.throwIfAborted()
      const isPick = question.pick !== undefined
      const found = isPick ? await components.choicesOf(question).catch(() => []) : []
      const shown = { question, choices: found.slice(0, PROMPT_CHOICES_MAX) }
      signal.throwIfAborted()
      const watcher = watchers.of(question.capsule.lineage)
      const most = watcher === undefined ? UNWATCHED_QUESTIONS_MAX : PROMPT_QUESTIONS_MAX
      if (watcher?.canAsk === false || entries.waitingCount() >= most) {
        entries.miss(shown)
        watcher?.refused(question)
        return REFUSED
      }
      return await waitForAnswer(entries, shown, { watcher, signal })
    },
    watch: watchers.add,
    pending: () => entries.list(),
    answer: async (id, answer) => {
      const entry = entries.get(id)
      if (entry === undefined) {
        throw new CapsuleError(
          'ERR_QUESTION_UNKNOWN',
          "expected a question that is open: 'elastos grant pending' shows them"
        )
      }
      const { question } = entry.shown
      const checked = checkAnswer(question, answer)
      if (entry.waiting !== undefined) {
        entry.waiting.resolve(checked)
        return { isWaiting: true }
      }
      checkLasts(checked)
      await components.keep(question, checked)
      entries.delete(id)
      return { isWaiting: false }
    }
  }
}

interface Watchers {
  add(lineage: string, watcher: Watcher): Disposable
  /** The last who can be asked, else the last. */
  of(lineage: string): Watcher | undefined
}

function createWatchers(): Watchers {
  const all = new Map<string, Set<Watcher>>()
  return {
    add: (lineage, watcher) => {
      const ofLineage = all.get(lineage) ?? new Set()
      all.set(lineage, ofLineage.add(watcher))
      return {
        [Symbol.dispose]: () => {
          ofLineage.delete(watcher)
          if (ofLineage.size === 0) all.delete(lineage)
        }
      }
    },
    of: (lineage) => {
      const ofLineage = [...(all.get(lineage) ?? [])]
      return ofLineage.findLast(({ canAsk }) => canAsk) ?? ofLineage.at(-1)
    }
  }
}

interface Entries {
  get(id: string): Entry | undefined
  wait(shown: ShownQuestion): PromiseWithResolvers<GrantAnswer>
  /** Keeps a question nobody answered, once for everything a capsule asks. */
  miss(shown: ShownQuestion): void
  delete(id: string): void
  waitingCount(): number
  list(): PendingQuestion[]
}

function createEntries(clock: Pick<Clock, 'nowMs'>): Entries {
  const entries = new Map<string, Entry>()
  const forgetOld = (): void => {
    for (const [id, { shown, waiting }] of entries) {
      const isOld = clock.nowMs() - shown.question.askedAtMs > MISSED_QUESTION_MS
      if (waiting === undefined && (isOld || entries.size > PROMPT_QUESTIONS_MAX)) entries.delete(id)
    }
  }
  return {
    get: (id) => entries.get(id),
    delete: (id) => void entries.delete(id),
    wait: (shown) => {
      const waiting = Promise.withResolvers<GrantAnswer>()
      entries.set(shown.question.id, { shown, waiting })
      return waiting
    },
    miss: (shown) => {
      for (const [id, { shown: before, waiting }] of entries) {
        if (waiting === undefined && isSame(before.question, shown.question)) entries.delete(id)
      }
      entries.set(shown.question.id, { shown, waiting: undefined })
      forgetOld()
    },
    waitingCount: () => [...entries.values()].filter(({ waiting }) => waiting !== undefined).length,
    list: () => {
      forgetOld()
      return [...entries.values()].map(({ shown, waiting }) => ({
        ...shown,
        isWaiting: waiting !== undefined
      }))
    }
  }
}

function isSame(one: GrantQuestion, other: GrantQuestion): boolean {
  const isSameThing = one.command === other.command && one.resource === other.resource
  return isSameThing && one.capsule.lineage === other.capsule.lineage
}

async function waitForAnswer(
  entries: Entries,
  shown: ShownQuestion,
  { watcher, signal }: { watcher: Watcher | undefined; signal: AbortSignal }
): Promise<GrantAnswer> {
  const { id } = shown.question
  const waiting = entries.wait(shown)
  const giveUp = (): void => waiting.reject(signal.reason as Error)
  signal.addEventListener('abort', giveUp, { once: true })
  try {
    watcher?.show(shown)
    return await waiting.promise
  } finally {
    signal.removeEventListener('abort', giveUp)
    watcher?.withdraw(id)
    entries.delete(id)
    if (signal.aborted) entries.miss(shown)
  }
}

/** An answer to a run that is over must outlast it. */
function checkLasts(answer: GrantAnswer): void {
  const isOver = answer.isAllowed ? answer.scope === 'once' || answer.scope === 'session' : !answer.isDurable
  if (!isOver) return
  throw new CapsuleError(
    'ERR_ANSWER_INVALID',
    'the run that asked is over: expected an answer for a day or for always, or never'
  )
}

/** An answer no wider than its question, in normal form. */
function checkAnswer(question: GrantQuestion, answer: GrantAnswer): GrantAnswer {
  if (!answer.isAllowed) return answer
  const command = parsed(parseCommandPattern, answer.command ?? question.command)
  const resource = parsed(parseResourcePattern, answer.resource ?? question.resource)
  if (!commandCovers(question.command, command) || !resourceCovers(question.resource, resource)) {
    throw new CapsuleError('ERR_ANSWER_INVALID', `expected something within ${question.resource}`)
  }
  if (question.pick !== undefined && question.pick !== 'folder' && resource.endsWith('/*')) {
    throw new CapsuleError('ERR_ANSWER_INVALID', `expected one ${question.pick} to be picked`)
  }
  return { ...answer, command, resource }
}

function parsed(parse: (text: string) => string, text: string): string {
  try {
    return parse(text)
  } catch (cause) {
    throw new CapsuleError('ERR_ANSWER_INVALID', 'expected a resource such as localhost://notes/a.txt', {
      cause
    })
  }
}
