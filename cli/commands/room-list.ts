import type { CliContext, CommandInput } from '../context.ts'
import { formatTable, printResult } from '../output.ts'

/** `elastos room list` */
export async function run(_input: CommandInput, context: CliContext): Promise<undefined> {
  await using client = await context.connect()
  const { rooms } = await client.call('room.list', {})
  const rows = rooms.map(({ kind, name, group, persons, devices, isIn }) => [
    kind === 'room' ? name : '(direct)',
    isIn ? `${persons.length} persons, ${devices} devices` : 'left',
    group
  ])
  await printResult(context, { rooms }, rows.length > 0 ? formatTable(rows) : ['no private rooms yet'])
}
