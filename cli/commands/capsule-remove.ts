import type { CliContext, CommandInput } from '../context.ts'
import { requiredArgument, switchOption } from '../input.ts'
import { printNotice, printResult } from '../output.ts'

/** `elastos capsule remove NAME` */
export async function run(input: CommandInput, context: CliContext): Promise<undefined> {
  const name = requiredArgument(input, 'name')
  const data = switchOption(input, 'withData')
  await using client = await context.connect()
  const change = await client.call('capsule.remove', { name, data })
  const { alias, version, lineage } = change.capsule
  await printResult(context, change, [`${alias} ${version} is removed${data ? ', with all it kept' : ''}`])
  if (!data) await printNotice(context, `what it kept stays, for when ${lineage} is installed again`)
}
