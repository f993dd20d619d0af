import { resolve } from 'node:path'
import { capsuleTarget } from '../capsule-target.ts'
import { createCapsuleView } from '../capsule-view.ts'
import type { CliContext, CommandInput } from '../context.ts'
import { CliError } from '../errors.ts'
import {
  choiceOption,
  requiredArgument,
  restArguments,
  secondsOption,
  switchOption,
  textOption
} from '../input.ts'
import { createInputRouter } from '../input-router.ts'
import { sendInput } from '../run-input.ts'
import { createRunTerminal, terminalSize } from '../run-terminal.ts'
import { createProgressLine, printNotice, printResult } from '../output.ts'

/** `elastos capsule run NAME|CID|PATH [ARGS…]`; the exit code is the capsule's. */
export async function run(input: CommandInput, context: CliContext): Promise<number> {
  const deadlineMs = secondsOption(input, 'deadline')
  const isDetached = switchOption(input, 'detach')
  const isRaw = switchOption(input, 'raw')
  // Who takes keys one by one draws what they do: that is for a capsule whose user lets it. Left running it keeps a terminal.
  const canDraw = isRaw && (isDetached || (context.stdinIsTerminal && context.stdout.isTerminal))
  const params = {
    target: capsuleTarget(requiredArgument(input, 'target'), context),
    args: restArguments(input, 'args'),
    dev: switchOption(input, 'dev'),
    ...(isDetached ? { detach: true } : {}),
    ...substrateParams(input),
    canAsk: context.stdinIsTerminal && context.stderr.isTerminal && !context.json,
    ...(canDraw ? { terminal: terminalSize(context) } : {}),
    ...recordParams(input, context),
    ...(deadlineMs === undefined ? {} : { deadlineMs })
  }
  await using client = await context.connect()
  const line = createProgressLine(context.stderr, () => context.clock.monotonicMs())
  const interrupt = new AbortController()
  await using terminal = createRunTerminal(context, client, () => interrupt.abort())
  const router = createInputRouter(
    () => context.stdin,
    (bytes) => terminal.typed(bytes)
  )
  const onEvent = createCapsuleView({ context, client, router, line, isRaw, terminal })
  const signal = AbortSignal.any([context.signal, interrupt.signal])
  const call = client.open('capsule.run', params, { signal, onEvent })
  if (!isDetached) void sendInput(call, router.forCapsule).catch(() => undefined)
  const result = await call.result
  await line.end()
  if (result.run !== undefined) {
    await terminal[Symbol.asyncDispose]()
    const { name, version } = result.capsule
    await printResult(context, result, [`${name} ${version} runs as #${result.run}`])
    const where = canDraw
      ? `attach ${result.run}' comes to its terminal`
      : `logs ${name}' shows what it writes`
    await printNotice(context, `'elastos capsule ${where}, 'capsule stop' ends it`)
  }
  if (result.trace !== undefined) {
    await printNotice(
      context,
      `recorded to ${result.trace.path}${result.trace.isCut ? ', cut at its bound' : ''}`
    )
  }
  return result.exitCode
}

/** Where it runs, and what may hold it there. */
function substrateParams(input: CommandInput): { substrate?: 'wasm' | 'microvm'; allowEmulated?: boolean } {
  const substrate = choiceOption(input, 'substrate', ['wasm', 'microvm'])
  return {
    ...(substrate === undefined ? {} : { substrate }),
    ...(switchOption(input, 'allowEmulated') ? { allowEmulated: true } : {})
  }
}

/** What a person types may be a secret, so it is recorded only when asked for; what a pipe brings is kept. */
function recordParams(
  input: CommandInput,
  context: Pick<CliContext, 'workingFolder' | 'stdinIsTerminal'>
): { record?: { path: string; input: boolean } } {
  const path = textOption(input, 'record')
  const keepsTyped = switchOption(input, 'recordInput')
  if (path === undefined) {
    if (keepsTyped) throw new CliError('ERR_USAGE', 'expected --record-input with --record TRACE')
    return {}
  }
  if (switchOption(input, 'detach')) throw new CliError('ERR_USAGE', 'expected --record without --detach')
  return {
    record: { path: resolve(context.workingFolder, path), input: keepsTyped || !context.stdinIsTerminal }
  }
}
