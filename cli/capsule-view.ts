import type { ControlEvent, QuestionStatus } from '#contracts'
import type { CliContext, ControlClient, OutputStream } from './context.ts'
import type { InputRouter } from './input-router.ts'
import type { RunTerminal } from './run-terminal.ts'
import { createTerminalFilter, formatBytes, printNotice, type ProgressLine } from './output.ts'

/** What a {@link createCapsuleView} shows on, and whom it asks. */
export interface CapsuleViewParts {
  readonly context: CliContext
  readonly client: ControlClient
  readonly router: InputRouter
  readonly line: ProgressLine
  readonly isRaw: boolean
  /** The terminal, when the capsule may draw on it. */
  readonly terminal?: RunTerminal
}

const OTHER_TYPES = 'somebody else came to this terminal and types now; you watch'
const TYPES_AGAIN = 'the other one left; you type again'

/** Shows what a run does. While a question is open, what the capsule writes waits. */
export function createCapsuleView(parts: CapsuleViewParts): (event: ControlEvent) => Promise<void> {
  const { context, line, isRaw, terminal } = parts
  const outputs = { stdout: writerOf(context.stdout, isRaw), stderr: writerOf(context.stderr, isRaw) }
  const prompts = createPrompts(parts)
  // Whoever comes types, which needs no notice.
  let hasWatched = false
  return async (event) => {
    if (event.kind === 'progress') line.update(`${event.phase} ${formatBytes(event.bytes)}`)
    if (event.kind === 'notice') await printNotice(context, event.text)
    if (event.kind === 'run' && event.viewer !== undefined) terminal?.started(event.run, event.viewer)
    if (event.kind === 'typing' && (hasWatched || !event.isTyping)) {
      await printNotice(context, event.isTyping ? TYPES_AGAIN : OTHER_TYPES)
      hasWatched = true
    }
    if (event.kind === 'terminal') terminal?.setRaw(event.isRaw)
    if (event.kind === 'question') prompts.show(event.question)
    if (event.kind === 'question-end') prompts.withdraw(event.id)
    if (event.kind === 'question-missed') await printNotice(context, describeMissed(event.question))
    if (event.kind !== 'output') return
    await prompts.done()
    await line.end()
    await outputs[event.stream](Buffer.from(event.base64, 'base64'))
  }
}

/** Questions, one after the other. */
function createPrompts({ context, router: input, line, isRaw, terminal }: CapsuleViewParts): {
  show(question: QuestionStatus): void
  withdraw(id: string): void
  done(): Promise<void>
} {
  const open = new Map<string, AbortController>()
  let last: Promise<void> = Promise.resolve()
  const show = async (question: QuestionStatus, controller: AbortController): Promise<void> => {
    const { promptForGrant } = await import('./grant-prompt.ts')
    await line.end()
    const signal = AbortSignal.any([context.signal, controller.signal])
    using _lines = terminal?.forQuestion()
    // A connection of its own: what the capsule writes meanwhile waits on the other, and would keep the answer waiting.
    await using answering = await context.connectIfRunning()
    if (answering === undefined) return
    await promptForGrant({ context, client: answering, input, isRaw }, question, signal)
  }
  return {
    show: (question) => {
      const controller = new AbortController()
      open.set(question.id, controller)
      last = last
        .then(async () => await show(question, controller))
        .catch(async (thrown: unknown) => await printNotice(context, String(thrown)))
        .finally(() => open.delete(question.id))
    },
    withdraw: (id) => open.get(id)?.abort(new Error('it is no longer open')),
    done: async () => await last
  }
}

function describeMissed({ id, name, command, resource }: QuestionStatus): string {
  return (
    `${name} was refused ${command} of ${resource}, as there is no terminal to ask on: ` +
    `'elastos grant answer ${id.slice(0, 8)} --allow always' allows it from its next run on`
  )
}

/** A pipe gets the capsule's bytes as they are; a terminal gets text that cannot steer it. */
function writerOf(stream: OutputStream, isRaw: boolean): (bytes: Uint8Array) => Promise<void> {
  if (isRaw || !stream.isTerminal) return async (bytes) => await stream.write(bytes)
  const filter = createTerminalFilter()
  return async (bytes) => await stream.write(filter(bytes))
}
