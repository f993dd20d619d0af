import type { CliContext, CommandInput } from '../context.ts'
import { EXIT } from '../exit-codes.ts'
import { describeDecider, describeDuration, formatTime, shortToken } from '../grant-view.ts'
import { requiredArgument } from '../input.ts'
import { formatTable, printNotice, printResult } from '../output.ts'

/** `elastos why CAPSULE COMMAND RESOURCE` */
export async function run(input: CommandInput, context: CliContext): Promise<number> {
  await using client = await context.connect()
  const why = await client.call('grant.why', {
    capsule: requiredArgument(input, 'capsule'),
    command: requiredArgument(input, 'command'),
    resource: requiredArgument(input, 'resource')
  })
  const checks = why.checks.map(({ name, isOk, detail }) => [isOk ? '✓' : '✗', name, detail])
  const links = why.chain.map((grant) => [
    shortToken(grant.cid),
    `${grant.command} of ${grant.resource}`,
    describeDuration(grant),
    grant.delegatedBy === undefined
      ? `said ${describeDecider(grant.decidedBy)}`
      : `handed on by ${grant.delegatedBy}`,
    formatTime(grant.grantedAtMs),
    grant.reason === undefined ? '' : `it says: “${grant.reason}”`
  ])
  await printResult(context, why, [
    why.sentence,
    '',
    ...formatTable(checks),
    ...(links.length === 0 ? [] : ['', ...formatTable(links)])
  ])
  if (!why.isCeilingKnown) {
    await printNotice(
      context,
      'what its manifest asks for is not known here: it is not installed and never ran'
    )
  }
  return why.isAllowed ? 0 : EXIT.refused
}
