import { resolve } from 'node:path'
import { createCapsuleView } from '../capsule-view.ts'
import type { CliContext, CommandInput } from '../context.ts'
import { createInputRouter } from '../input-router.ts'
import { requiredArgument, switchOption } from '../input.ts'
import { createProgressLine, printNotice } from '../output.ts'
import { sendInput } from '../run-input.ts'

/** `elastos capsule replay TRACE`; the exit code is the recorded capsule's. */
export async function run(input: CommandInput, context: CliContext): Promise<number> {
  const path = resolve(context.workingFolder, requiredArgument(input, 'trace'))
  await using client = await context.connect()
  const line = createProgressLine(context.stderr, () => context.clock.monotonicMs())
  const router = createInputRouter(() => context.stdin)
  const isRaw = switchOption(input, 'raw')
  const onEvent = createCapsuleView({ context, client, router, line, isRaw })
  const call = client.open('capsule.replay', { path }, { signal: context.signal, onEvent })
  void sendInput(call, router.forCapsule).catch(() => undefined)
  const { name, version, exitCode, code, isWhole } = await call.result
  const how = code === undefined ? `code ${exitCode}` : code
  const rest = isWhole ? 'as it was recorded' : 'where its trace ends'
  await printNotice(context, `${name} ${version} ended with ${how}, ${rest}`)
  return exitCode
}
