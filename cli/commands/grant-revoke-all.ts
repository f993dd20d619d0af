import type { CliContext, CommandInput } from '../context.ts'
import { printNotice, printResult } from '../output.ts'

/** `elastos grant revoke-all` */
export async function run(_input: CommandInput, context: CliContext): Promise<undefined> {
  await using client = await context.connect()
  const result = await client.call('grant.revoke-all', {})
  const { revoked, wasDamaged } = result
  await printResult(context, result, [
    `revoked ${revoked === 1 ? '1 grant' : `${revoked} grants`}: no capsule may do anything`
  ])
  if (wasDamaged)
    await printNotice(
      context,
      'the record of grants was damaged and begins anew; what was denied is asked again'
    )
}
