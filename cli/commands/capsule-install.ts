import { capsuleTarget } from '../capsule-target.ts'
import { installAfterConsent } from '../consent.ts'
import type { CliContext, CommandInput } from '../context.ts'
import { requiredArgument, secondsOption, switchOption, textOption } from '../input.ts'
import { printNotice, printResult } from '../output.ts'

/** `elastos capsule install NAME|CID` */
export async function run(input: CommandInput, context: CliContext): Promise<undefined> {
  await using client = await context.connect()
  const change = await installAfterConsent(context, client, {
    target: capsuleTarget(requiredArgument(input, 'target'), context),
    as: textOption(input, 'as'),
    isUpdate: false,
    isYes: switchOption(input, 'yes'),
    isDry: switchOption(input, 'dryRun'),
    deadlineMs: secondsOption(input, 'deadline')
  })
  if (change === undefined) return
  const { alias, version } = change.capsule
  await printResult(context, change, [`${alias} ${version} is installed`])
  await printNotice(context, `run it: elastos capsule run ${alias}`)
}
