import type { CliContext, CommandInput } from '../context.ts'
import { describeIdentity, identityJson, requireIdentity } from '../identity.ts'
import { textOption } from '../input.ts'
import { formatTable, printField, printResult } from '../output.ts'

/** `elastos id show` */
export async function run(input: CommandInput, context: CliContext): Promise<undefined> {
  const identity = await requireIdentity(context)
  const field = textOption(input, 'field')
  if (field !== undefined) await printField(context, identityJson(identity), field)
  else await printResult(context, identityJson(identity), formatTable(describeIdentity(identity)))
}
