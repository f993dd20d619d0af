import type { QuestionAnswer, QuestionStatus } from '#contracts'
import { CapsuleError, type PromptDesk, type ShownQuestion, type Watcher } from '#capsule-host'
import type { GrantAnswer } from '#providers'
import type { Contacts } from '../contacts.ts'
import type { HandlersOf } from './handlers.ts'
import type { CallContext } from './server.ts'

/** What the handlers act on. */
export interface QuestionParts {
  readonly desk: PromptDesk
  readonly contacts: Pick<Contacts, 'list'>
}

/** Questions of capsules, for commands. */
export function createQuestionHandlers(parts: QuestionParts): HandlersOf<'grant.pending' | 'grant.answer'> {
  const { desk } = parts
  return {
    'grant.pending': async () => {
      const questions = desk.pending().map(({ isWaiting, ...shown }) => describe(parts, shown, isWaiting))
      return await Promise.resolve({ questions })
    },
    'grant.answer': async ({ id, answer }) => await desk.answer(findId(desk, id), asGrantAnswer(answer))
  }
}

/** Shows the questions of one run to who called for it. */
export function createWatcher(
  parts: QuestionParts,
  { emit, canAsk }: Pick<CallContext, 'emit'> & { readonly canAsk: boolean }
): Watcher {
  const send = (event: Parameters<CallContext['emit']>[0]): void => void emit(event).catch(() => undefined)
  return {
    canAsk,
    show: (shown) => send({ kind: 'question', question: describe(parts, shown, true) }),
    withdraw: (id) => send({ kind: 'question-end', id }),
    refused: (question) =>
      send({ kind: 'question-missed', question: describe(parts, { question, choices: [] }, false) })
  }
}

/** A person may give the first characters of an id when no other begins so. */
function findId(desk: PromptDesk, text: string): string {
  const matching = desk.pending().filter(({ question }) => question.id.startsWith(text))
  const [only] = matching
  if (matching.length === 1 && only !== undefined) return only.question.id
  if (matching.length === 0) return text
  throw new CapsuleError('ERR_QUESTION_UNKNOWN', 'expected more of the id: several questions begin so')
}

function asGrantAnswer(answer: QuestionAnswer): GrantAnswer {
  if (!answer.isAllowed) {
    const { isDurable, isAll } = answer
    return { isAllowed: false, isDurable, ...(isAll === undefined ? {} : { isAll }), decidedBy: 'person' }
  }
  const { scope, resource } = answer
  return { isAllowed: true, scope, ...(resource === undefined ? {} : { resource }), decidedBy: 'person' }
}

function describe(
  { contacts }: QuestionParts,
  { question, choices }: ShownQuestion,
  isWaiting: boolean
): QuestionStatus {
  const { capsule, ...asked } = question
  const { lineage, name, version, publisher } = capsule
  const petname = contacts.list().find(({ did }) => did === publisher)?.petname
  return {
    ...asked,
    ...{ lineage, name, version, choices, isWaiting },
    ...(publisher === undefined ? {} : { publisher }),
    ...(petname === undefined ? {} : { petname })
  }
}
