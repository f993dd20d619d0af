import type { CliContext, CommandInput } from '../context.ts'
import { requiredArgument } from '../input.ts'
import { printResult } from '../output.ts'

/** `elastos pin rm CID` */
export async function run(input: CommandInput, context: CliContext): Promise<undefined> {
  await using client = await context.connect()
  const result = await client.call('content.unpin', { target: requiredArgument(input, 'target') })
  await printResult(context, result, [`${result.cid} is kept and served no longer`])
}
