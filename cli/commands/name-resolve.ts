import type { CliContext, CommandInput } from '../context.ts'
import { requiredArgument } from '../input.ts'
import { describeFreshness, targetOf } from '../name-view.ts'
import { printNotice, printResult } from '../output.ts'

/** `elastos name resolve NAME` */
export async function run(input: CommandInput, context: CliContext): Promise<undefined> {
  await using client = await context.connect()
  const params = { name: requiredArgument(input, 'name') }
  const resolved = await client.call('name.resolve', params, { signal: context.signal })
  await printResult(context, resolved, [targetOf(resolved)])
  if (context.json) return
  for (const line of describeFreshness(resolved)) await printNotice(context, line)
}
