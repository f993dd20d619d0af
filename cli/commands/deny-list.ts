import type { CliContext, CommandInput } from '../context.ts'
import { printResult } from '../output.ts'

/** `elastos deny list` */
export async function run(_input: CommandInput, context: CliContext): Promise<undefined> {
  await using client = await context.connect()
  const { subjects } = await client.call('deny.list', {})
  await printResult(context, { subjects }, subjects.length > 0 ? subjects : ['nothing is refused'])
}
