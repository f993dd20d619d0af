import type { CliContext, CommandInput } from '../context.ts'
import { requiredArgument } from '../input.ts'
import { printResult } from '../output.ts'

/** `elastos node connect ADDRESS` */
export async function run(input: CommandInput, context: CliContext): Promise<undefined> {
  await using client = await context.connect()
  const params = { address: requiredArgument(input, 'address') }
  const result = await client.call('node.connect', params, { signal: context.signal })
  await printResult(context, result, [`connected to ${result.peerId}`])
}
