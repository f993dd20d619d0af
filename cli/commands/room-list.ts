import type { CliContext, CommandInput } from '../context.ts'
import { formatTable, printResult } from '../output.ts'

/** `elastos room list` */
export async function run(_input: CommandInput, context: CliContext): Promise<undefined> {
  await using client = await context.connect()
  const { rooms } = await client.call('room.list', {})
  const rows = rooms.map(({ kind, name, group, persons, devices, isIn }) => [
    kind === 'room' ? name : '(direct)',
    isIn ? sizeOf(persons.length, devices) : 'left',
    group
  ])
  await printResult(context, { rooms }, rows.length > 0 ? formatTable(rows) : ['no private rooms yet'])
}

function sizeOf(persons: number, devices: number): string {
  return `${persons} ${persons === 1 ? 'person' : 'persons'}, ${devices} ${devices === 1 ? 'device' : 'devices'}`
}
