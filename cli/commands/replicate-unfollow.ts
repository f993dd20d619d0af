import type { CliContext, CommandInput } from '../context.ts'
import { requiredArgument } from '../input.ts'
import { printResult } from '../output.ts'

/** `elastos replicate unfollow PERSON` */
export async function run(input: CommandInput, context: CliContext): Promise<undefined> {
  await using client = await context.connect()
  const params = { person: requiredArgument(input, 'person') }
  const result = await client.call('replica.unfollow', params, { signal: context.signal })
  await printResult(context, result, [`no longer following ${result.person}`])
}
