import type { CliContext, CommandInput } from '../context.ts'
import { printResult } from '../output.ts'

/** `elastos replicate leave` */
export async function run(_input: CommandInput, context: CliContext): Promise<undefined> {
  await using client = await context.connect()
  const quota = await client.call('replica.leave', {}, { signal: context.signal })
  await printResult(context, quota, ['nothing is kept for others any more'])
}
