import { installAfterConsent } from '../consent.ts'
import type { CliContext, CommandInput } from '../context.ts'
import { requiredArgument, secondsOption, switchOption } from '../input.ts'
import { printResult } from '../output.ts'

/** `elastos capsule update NAME` */
export async function run(input: CommandInput, context: CliContext): Promise<undefined> {
  await using client = await context.connect()
  const change = await installAfterConsent(context, client, {
    target: requiredArgument(input, 'name'),
    isUpdate: true,
    isYes: switchOption(input, 'yes'),
    isDry: switchOption(input, 'dryRun'),
    deadlineMs: secondsOption(input, 'deadline')
  })
  if (change === undefined) return
  const { alias, version } = change.capsule
  const ended = change.stopped === 0 ? '' : `; ${change.stopped} that ran were stopped`
  await printResult(context, change, [
    `${alias} is ${version} now, with the data it had${ended}; 'elastos capsule rollback ${alias}' goes back`
  ])
}
