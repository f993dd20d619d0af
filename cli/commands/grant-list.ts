import type { CliContext, CommandInput } from '../context.ts'
import { denialRow, grantRow } from '../grant-view.ts'
import { optionalArgument, switchOption } from '../input.ts'
import { formatTable, printNotice, printResult } from '../output.ts'

/** `elastos grant list [CAPSULE]` */
export async function run(input: CommandInput, context: CliContext): Promise<undefined> {
  const capsule = optionalArgument(input, 'capsule')
  await using client = await context.connect()
  const result = await client.call('grant.list', {
    all: switchOption(input, 'all'),
    ...(capsule === undefined ? {} : { capsule })
  })
  const { grants, denials, isCut, damage } = result
  const granted = [['token', 'capsule', 'may', 'of', 'how long', 'said', 'when'], ...grants.map(grantRow)]
  const denied = [['capsule', 'may never', 'of', 'said', 'when'], ...denials.map(denialRow)]
  await printResult(context, result, [
    ...(grants.length === 0 ? [] : formatTable(granted)),
    ...(grants.length > 0 && denials.length > 0 ? [''] : []),
    ...(denials.length === 0 ? [] : formatTable(denied))
  ])
  if (grants.length + denials.length === 0)
    await printNotice(context, 'nothing is granted, and nothing denied for good')
  if (isCut) await printNotice(context, 'only the newest are shown: name a capsule to see all of it')
  if (damage !== undefined) {
    await printNotice(
      context,
      `nothing is allowed: ${damage}. 'elastos grant revoke-all' begins the record anew`
    )
  }
}
