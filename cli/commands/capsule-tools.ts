import type { CliContext, CommandInput } from '../context.ts'
import { requiredArgument } from '../input.ts'
import { formatTable, printNotice, printResult } from '../output.ts'
import { openToolCall } from '../tool-call.ts'

/** `elastos capsule tools NAME|CID|PATH` */
export async function run(input: CommandInput, context: CliContext): Promise<undefined> {
  await using call = await openToolCall(input, context)
  const answer = await call.send('capsule.tools', {})
  const rows = answer.tools.map(({ name, title, description }) => [
    name,
    (description ?? title ?? '').split('\n')[0]?.slice(0, 100) ?? ''
  ])
  if (rows.length === 0) await printNotice(context, 'it has no tools')
  await printResult(context, answer, formatTable(rows))
  const [first] = answer.tools
  if (first !== undefined) {
    const target = requiredArgument(input, 'target')
    await printNotice(context, `call one: elastos capsule call ${target} ${first.name} '{}'`)
  }
}
