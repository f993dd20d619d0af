import { CONTROL_LIMITS, type ControlEvent, type QuestionStatus } from '#contracts'
import { capsuleTarget } from '../capsule-target.ts'
import type { CliContext, CommandInput, ControlCall, ControlClient, OutputStream } from '../context.ts'
import { requiredArgument, restArguments, secondsOption, switchOption } from '../input.ts'
import { createInputRouter, type InputRouter } from '../input-router.ts'
import {
  createProgressLine,
  createTerminalFilter,
  formatBytes,
  printNotice,
  printResult,
  type ProgressLine
} from '../output.ts'

/** `elastos capsule run NAME|CID|PATH [ARGS…]`; the exit code is the capsule's. */
export async function run(input: CommandInput, context: CliContext): Promise<number> {
  const deadlineMs = secondsOption(input, 'deadline')
  const isDetached = switchOption(input, 'detach')
  const params = {
    target: capsuleTarget(requiredArgument(input, 'target'), context),
    args: restArguments(input, 'args'),
    dev: switchOption(input, 'dev'),
    ...(isDetached ? { detach: true } : {}),
    canAsk: context.stdinIsTerminal && context.stderr.isTerminal && !context.json,
    ...(deadlineMs === undefined ? {} : { deadlineMs })
  }
  await using client = await context.connect()
  const line = createProgressLine(context.stderr, () => context.clock.monotonicMs())
  const router = createInputRouter(() => context.stdin)
  const isRaw = switchOption(input, 'raw')
  const onEvent = createView({ context, client, router, line, isRaw })
  const call = client.open('capsule.run', params, { signal: context.signal, onEvent })
  if (!isDetached) void sendInput(call, router).catch(() => undefined)
  const result = await call.result
  await line.end()
  if (result.run !== undefined) {
    const { name, version } = result.capsule
    await printResult(context, result, [`${name} ${version} runs as #${result.run}`])
    await printNotice(context, `'elastos capsule logs ${name}' shows what it writes, 'capsule stop' ends it`)
  }
  return result.exitCode
}

interface ViewParts {
  readonly context: CliContext
  readonly client: ControlClient
  readonly router: InputRouter
  readonly line: ProgressLine
  readonly isRaw: boolean
}

/** Shows what a run does. While a question is open, what the capsule writes waits. */
function createView(parts: ViewParts): (event: ControlEvent) => Promise<void> {
  const { context, line, isRaw } = parts
  const outputs = { stdout: writerOf(context.stdout, isRaw), stderr: writerOf(context.stderr, isRaw) }
  const prompts = createPrompts(parts)
  return async (event) => {
    if (event.kind === 'progress') line.update(`${event.phase} ${formatBytes(event.bytes)}`)
    if (event.kind === 'notice') await printNotice(context, event.text)
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
function createPrompts({ context, client, router: input, line, isRaw }: ViewParts): {
  show(question: QuestionStatus): void
  withdraw(id: string): void
  done(): Promise<void>
} {
  const open = new Map<string, AbortController>()
  let last: Promise<void> = Promise.resolve()
  const show = async (question: QuestionStatus, controller: AbortController): Promise<void> => {
    const { promptForGrant } = await import('../grant-prompt.ts')
    await line.end()
    const signal = AbortSignal.any([context.signal, controller.signal])
    await promptForGrant({ context, client, input, isRaw }, question, signal)
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

/** Each piece is sent when the capsule has taken the one before, so a slow capsule slows its input down. */
async function sendInput(call: ControlCall<'capsule.run'>, router: InputRouter): Promise<void> {
  for await (const chunk of router.forCapsule) {
    for (let start = 0; start < chunk.byteLength; start += CONTROL_LIMITS.chunkBytesMax) {
      const part = chunk.subarray(start, start + CONTROL_LIMITS.chunkBytesMax)
      await call.send({ kind: 'stdin', base64: Buffer.from(part).toString('base64') })
    }
  }
  await call.send({ kind: 'stdin-end' })
}
