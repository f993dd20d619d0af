import type { CliContext, CommandInput } from '../context.ts'
import { requiredArgument } from '../input.ts'
import { formatBytes, printResult } from '../output.ts'

/** `elastos replicate follow PERSON` */
export async function run(input: CommandInput, context: CliContext): Promise<undefined> {
  await using client = await context.connect()
  const params = { person: requiredArgument(input, 'person') }
  const result = await client.call('replica.follow', params, { signal: context.signal })
  await printResult(context, result, [
    `following ${result.person}: what they publish is kept here, within ${formatBytes(result.quota.spaceBytes)}`,
    "change that with 'elastos replicate offer --space …'"
  ])
}
