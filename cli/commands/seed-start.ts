import type { CliContext, CommandInput } from '../context.ts'
import { listOption, switchOption, textOption } from '../input.ts'
import { startDetachedAndReport, runUntilStopped } from '../long-running.ts'
import { readNodeInit, readSeedInit } from '../node-init.ts'

/** `elastos seed start` */
export async function run(input: CommandInput, context: CliContext): Promise<undefined> {
  if (switchOption(input, 'detach')) await startDetachedAndReport(context, seedFlags(input, context))
  else await runUntilStopped(context, { ...(await readNodeInit(input, context)), seed: readSeedInit(input) })
}

function seedFlags(input: CommandInput, context: CliContext): string[] {
  const flags = ['seed', 'start', ...context.nodeFlags]
  for (const [key, flag] of [
    ['http', '--http'],
    ['metricsPort', '--metrics-port']
  ] as const) {
    const value = textOption(input, key)
    if (value !== undefined) flags.push(flag, value)
  }
  for (const address of listOption(input, 'announce')) flags.push('--announce', address)
  if (switchOption(input, 'dev')) flags.push('--dev')
  return flags
}
