import type { CliContext, CommandInput } from '../context.ts'
import { switchOption } from '../input.ts'
import { startDetachedAndReport, runUntilStopped } from '../long-running.ts'
import { readNodeInit } from '../node-init.ts'

/** `elastos node start` */
export async function run(input: CommandInput, context: CliContext): Promise<undefined> {
  if (switchOption(input, 'detach')) await startDetachedAndReport(context, context.nodeFlags)
  else await runUntilStopped(context, await readNodeInit(input, context))
}
