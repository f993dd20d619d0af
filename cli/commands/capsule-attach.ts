import { createCapsuleView } from '../capsule-view.ts'
import type { CliContext, CommandInput } from '../context.ts'
import { requiredArgument, switchOption } from '../input.ts'
import { createInputRouter } from '../input-router.ts'
import { createProgressLine, printNotice, printResult } from '../output.ts'
import { sendInput } from '../run-input.ts'
import { createRunTerminal, terminalSize } from '../run-terminal.ts'

/** `elastos capsule attach RUN`; the exit code is the capsule's when it ends meanwhile. */
export async function run(input: CommandInput, context: CliContext): Promise<number | undefined> {
  const isWatching = switchOption(input, 'watch')
  const isTerminal = context.stdinIsTerminal && context.stdout.isTerminal
  const params = {
    target: requiredArgument(input, 'run'),
    ...(isWatching ? { watch: true } : {}),
    ...(isTerminal ? { terminal: terminalSize(context) } : {}),
    canAsk: context.stdinIsTerminal && context.stderr.isTerminal && !context.json
  }
  await using client = await context.connect()
  const line = createProgressLine(context.stderr, () => context.clock.monotonicMs())
  const interrupt = new AbortController()
  await using terminal = createRunTerminal(context, client, () => interrupt.abort())
  const router = createInputRouter(
    () => context.stdin,
    (bytes) => terminal.typed(bytes)
  )
  // Whoever left it running with a terminal let it draw.
  const onEvent = createCapsuleView({ context, client, router, line, isRaw: true, terminal })
  const signal = AbortSignal.any([context.signal, interrupt.signal])
  if (isTerminal) await printNotice(context, 'Ctrl-] leaves it running')
  const call = client.open('capsule.attach', params, { signal, onEvent })
  // Who only watches types at most Ctrl-], and the end of a pipe is no reason to look away.
  if (isTerminal || !isWatching) void sendInput(call, router.forCapsule).catch(() => undefined)
  const { run: id, capsule, exitCode } = await call.result
  await line.end()
  await terminal[Symbol.asyncDispose]()
  if (exitCode !== undefined) return exitCode
  await printResult(context, { run: id, name: capsule.name }, [`${capsule.name} runs on as #${id}`])
  return undefined
}
