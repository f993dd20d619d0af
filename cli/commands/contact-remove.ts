import type { CliContext, CommandInput } from '../context.ts'
import { requiredArgument } from '../input.ts'
import { printResult } from '../output.ts'

/** `elastos contact remove PETNAME` */
export async function run(input: CommandInput, context: CliContext): Promise<undefined> {
  await using client = await context.connect()
  const { petname } = await client.call('contact.remove', { petname: requiredArgument(input, 'petname') })
  await printResult(context, { petname }, [`forgot ${petname}`])
}
