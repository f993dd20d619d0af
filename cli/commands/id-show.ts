import type { CliContext, CommandInput } from '../context.ts'
import { describeIdentity, identityJson, requireIdentity } from '../identity.ts'
import { formatTable, printResult } from '../output.ts'

/** `elastos id show` */
export async function run(_input: CommandInput, context: CliContext): Promise<undefined> {
  const identity = await requireIdentity(context)
  await printResult(context, identityJson(identity), formatTable(describeIdentity(identity)))
}
