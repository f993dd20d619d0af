import { CONTROL_LIMITS } from '#contracts'
import { capsuleTarget } from '../capsule-target.ts'
import type { CliContext, CommandInput, ControlCall, OutputStream } from '../context.ts'
import { requiredArgument, restArguments, secondsOption, switchOption } from '../input.ts'
import { createProgressLine, createTerminalFilter, formatBytes, printNotice, printResult } from '../output.ts'

/** `elastos capsule run NAME|CID|PATH [ARGS…]`; the exit code is the capsule's. */
export async function run(input: CommandInput, context: CliContext): Promise<number> {
  const deadlineMs = secondsOption(input, 'deadline')
  const params = {
    target: capsuleTarget(requiredArgument(input, 'target'), context),
    args: restArguments(input, 'args'),
    dev: switchOption(input, 'dev'),
    ...(switchOption(input, 'detach') ? { detach: true } : {}),
    ...(deadlineMs === undefined ? {} : { deadlineMs })
  }
  await using client = await context.connect()
  const line = createProgressLine(context.stderr, () => context.clock.monotonicMs())
  const isRaw = switchOption(input, 'raw')
  const outputs = { stdout: writerOf(context.stdout, isRaw), stderr: writerOf(context.stderr, isRaw) }
  const call = client.open('capsule.run', params, {
    signal: context.signal,
    onEvent: async (event) => {
      if (event.kind === 'progress') line.update(`${event.phase} ${formatBytes(event.bytes)}`)
      if (event.kind === 'notice') await printNotice(context, event.text)
      if (event.kind !== 'output') return
      await line.end()
      await outputs[event.stream](Buffer.from(event.base64, 'base64'))
    }
  })
  if (params.detach !== true) void sendInput(call, context).catch(() => undefined)
  const result = await call.result
  await line.end()
  if (result.run !== undefined) {
    const { name, version } = result.capsule
    await printResult(context, result, [`${name} ${version} runs as #${result.run}`])
    await printNotice(context, `'elastos capsule logs ${name}' shows what it writes, 'capsule stop' ends it`)
  }
  return result.exitCode
}

/** A pipe gets the capsule's bytes as they are; a terminal gets text that cannot steer it. */
function writerOf(stream: OutputStream, isRaw: boolean): (bytes: Uint8Array) => Promise<void> {
  if (isRaw || !stream.isTerminal) return async (bytes) => await stream.write(bytes)
  const filter = createTerminalFilter()
  return async (bytes) => await stream.write(filter(bytes))
}

/** Each piece is sent when the capsule has taken the one before, so a slow capsule slows its input down. */
async function sendInput(call: ControlCall<'capsule.run'>, context: CliContext): Promise<void> {
  for await (const chunk of context.stdin) {
    for (let start = 0; start < chunk.byteLength; start += CONTROL_LIMITS.chunkBytesMax) {
      const part = chunk.subarray(start, start + CONTROL_LIMITS.chunkBytesMax)
      await call.send({ kind: 'stdin', base64: Buffer.from(part).toString('base64') })
    }
  }
  await call.send({ kind: 'stdin-end' })
}
