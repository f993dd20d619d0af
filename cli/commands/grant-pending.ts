import type { CliContext, CommandInput } from '../context.ts'
import { formatTable, printNotice, printResult } from '../output.ts'

/** `elastos grant pending` */
export async function run(_input: CommandInput, context: CliContext): Promise<undefined> {
  await using client = await context.connect()
  const { questions } = await client.call('grant.pending', {})
  const rows = questions.map(({ id, name, command, resource, isWaiting, reason = '' }) => [
    id.slice(0, 8),
    name,
    command,
    resource,
    isWaiting ? 'waits' : 'missed',
    reason === '' ? '' : `it says: “${reason}”`
  ])
  const header = ['id', 'capsule', 'wants', 'of', 'state', 'claim']
  await printResult(context, { questions }, rows.length === 0 ? [] : formatTable([header, ...rows]))
  if (rows.length === 0) await printNotice(context, 'no capsule asks for anything')
}
