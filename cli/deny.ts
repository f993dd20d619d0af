import type { CliContext, CommandInput } from './context.ts'
import { requiredArgument } from './input.ts'
import { printResult } from './output.ts'

/** Changes what the node refuses; it takes effect at once. */
export async function changeDenied(
  method: 'deny.add' | 'deny.remove',
  input: CommandInput,
  context: CliContext
): Promise<void> {
  await using client = await context.connect()
  const { subject } = await client.call(method, { subject: requiredArgument(input, 'subject') })
  const effect = method === 'deny.add' ? 'is refused from now on' : 'is refused no longer'
  await printResult(context, { subject }, [`${subject} ${effect}`])
}
