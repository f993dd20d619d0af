import type { CliContext, CommandInput } from '../context.ts'
import { capsuleName, shortToken } from '../grant-view.ts'
import { requiredArgument } from '../input.ts'
import { printNotice, printResult } from '../output.ts'

/** `elastos grant revoke TOKEN` or `elastos grant revoke CAPSULE` */
export async function run(input: CommandInput, context: CliContext): Promise<undefined> {
  const what = requiredArgument(input, 'grant')
  await using client = await context.connect()
  const { revoked } = await client.call('grant.revoke', { what })
  const lines = revoked.map(
    (grant) =>
      `${capsuleName(grant)} may no longer ${grant.command} of ${grant.resource} (${shortToken(grant.cid)})`
  )
  await printResult(context, { revoked }, lines)
  if (revoked.length === 0) await printNotice(context, 'there was nothing left to revoke')
}
