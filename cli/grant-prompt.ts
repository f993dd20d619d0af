import type { QuestionStatus } from '#contracts'
import { errorCode, errorMessage } from '#contracts'
import type { CliContext, ControlClient } from './context.ts'
import { describeAnswers, describeQuestion, readReply } from './grant-question.ts'
import type { InputRouter, QuestionInput } from './input-router.ts'
import { safeText } from './output.ts'

/** What the prompt works with. */
export interface PromptParts {
  readonly context: Pick<CliContext, 'stderr' | 'clock'>
  readonly client: Pick<ControlClient, 'call'>
  readonly input: Pick<InputRouter, 'takeOver'>
  /** Whether the capsule may have left the terminal in a state of its choice. */
  readonly isRaw: boolean
}

/** How long what is typed is thrown away: it was meant for the capsule, not for a question that had just appeared. */
const SETTLE_MS = 300
/** Ends whatever a capsule began to say to the terminal, leaves its screen, and makes text visible again. */
const TERMINAL_SANE = '\u0018\u001b\\\u001b[!p\u001b[?1049l\u001b[0m\u001b(B\u001b[r\u001b[?25h\u001b[?2004l'
const [MARKED, UNMARKED] = ['\u001b[7m', '\u001b[0m']

/**
 * Asks a person what a capsule may do, and tells the node. Until it returns nothing of what is typed reaches the capsule;
 * its caller shows nothing of what the capsule writes meanwhile. Ends without an answer when `signal` aborts or the
 * question expires: the node then refuses by itself.
 */
export async function promptForGrant(
  { context, client, input, isRaw }: PromptParts,
  question: QuestionStatus,
  signal: AbortSignal
): Promise<void> {
  const { stderr, clock } = context
  const expired = new AbortController()
  const leftMs = Math.max(0, question.expiresAtMs - clock.nowMs())
  using _expiry = clock.after(leftMs, () => expired.abort(new Error('it expired')))
  const until = AbortSignal.any([signal, expired.signal])
  using keys = input.takeOver()
  // A capsule cannot colour what it writes, so that it cannot write this line either.
  const title = `${MARKED} ${question.name} asks you ${UNMARKED}`
  const text = [...describeQuestion(question, stderr.columns || 80), ...describeAnswers(question)]
  await stderr.write(`${isRaw ? TERMINAL_SANE : ''}\n${title}\n${text.map(safeText).join('\n')}\n`)
  try {
    await clock.sleep(SETTLE_MS, until)
    keys.discard()
    await converse({ stderr, client, keys }, question, until)
  } catch (thrown) {
    if (!until.aborted) throw thrown
    await stderr.write('\nthe question is no longer open\n')
  }
}

async function converse(
  {
    stderr,
    client,
    keys
  }: { stderr: CliContext['stderr']; client: Pick<ControlClient, 'call'>; keys: QuestionInput },
  question: QuestionStatus,
  signal: AbortSignal
): Promise<void> {
  let asked = question
  for (;;) {
    await stderr.write('Answer: ')
    const reply = readReply(await keys.readLine(signal), asked)
    if (reply.kind === 'hint') {
      await stderr.write(`${safeText(reply.text)}\n`)
      continue
    }
    if (reply.kind === 'narrow') {
      const { pick: _picked, ...rest } = asked
      const narrowed = { ...rest, resource: reply.resource, choices: [] }
      const shown = describeAnswers(narrowed).map(safeText).join('\n')
      await stderr.write(`of ${safeText(reply.resource)}\n${shown}\n`)
      asked = narrowed
      continue
    }
    const { answer } = reply
    const isNarrowed = answer.isAllowed && asked.resource !== question.resource
    try {
      const given = isNarrowed ? { ...answer, resource: asked.resource } : answer
      await client.call('grant.answer', { id: question.id, answer: given })
      return
    } catch (thrown) {
      if (errorCode(thrown) !== 'ERR_ANSWER_INVALID') throw thrown
      await stderr.write(`${safeText(errorMessage(thrown))}\n`)
      asked = question
    }
  }
}
