import { CONTROL_LIMITS } from '#contracts'
import { capsuleTarget } from '../capsule-target.ts'
import { createCapsuleView } from '../capsule-view.ts'
import type { CliContext, CommandInput, ControlCall } from '../context.ts'
import { requiredArgument, restArguments, secondsOption, switchOption } from '../input.ts'
import { createInputRouter } from '../input-router.ts'
import { createRunTerminal, terminalSize } from '../run-terminal.ts'
import { createProgressLine, printNotice, printResult } from '../output.ts'

/** `elastos capsule run NAME|CID|PATH [ARGS…]`; the exit code is the capsule's. */
export async function run(input: CommandInput, context: CliContext): Promise<number> {
  const deadlineMs = secondsOption(input, 'deadline')
  const isDetached = switchOption(input, 'detach')
  const isRaw = switchOption(input, 'raw')
  // Who takes keys one by one draws what they do: that is for a capsule whose user lets it.
  const canDraw = isRaw && context.stdinIsTerminal && context.stdout.isTerminal && !isDetached
  const params = {
    target: capsuleTarget(requiredArgument(input, 'target'), context),
    args: restArguments(input, 'args'),
    dev: switchOption(input, 'dev'),
    ...(isDetached ? { detach: true } : {}),
    canAsk: context.stdinIsTerminal && context.stderr.isTerminal && !context.json,
    ...(canDraw ? { terminal: terminalSize(context) } : {}),
    ...(deadlineMs === undefined ? {} : { deadlineMs })
  }
  await using client = await context.connect()
  const line = createProgressLine(context.stderr, () => context.clock.monotonicMs())
  const router = createInputRouter(() => context.stdin)
  await using terminal = createRunTerminal(context, client)
  const onEvent = createCapsuleView({ context, client, router, line, isRaw, terminal })
  const interrupt = new AbortController()
  const signal = AbortSignal.any([context.signal, interrupt.signal])
  const call = client.open('capsule.run', params, { signal, onEvent })
  const keys = terminal.guard(router.forCapsule, () => interrupt.abort())
  if (!isDetached) void sendInput(call, keys).catch(() => undefined)
  const result = await call.result
  await line.end()
  if (result.run !== undefined) {
    const { name, version } = result.capsule
    await printResult(context, result, [`${name} ${version} runs as #${result.run}`])
    await printNotice(context, `'elastos capsule logs ${name}' shows what it writes, 'capsule stop' ends it`)
  }
  return result.exitCode
}

/** Each piece is sent when the capsule has taken the one before, so a slow capsule slows its input down. */
async function sendInput(call: ControlCall<'capsule.run'>, input: AsyncIterable<Uint8Array>): Promise<void> {
  for await (const chunk of input) {
    for (let start = 0; start < chunk.byteLength; start += CONTROL_LIMITS.chunkBytesMax) {
      const part = chunk.subarray(start, start + CONTROL_LIMITS.chunkBytesMax)
      await call.send({ kind: 'stdin', base64: Buffer.from(part).toString('base64') })
    }
  }
  await call.send({ kind: 'stdin-end' })
}
