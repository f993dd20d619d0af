import type { CliContext, CommandInput } from '../context.ts'
import { formatTable, printResult } from '../output.ts'

/** `elastos contact list` */
export async function run(_input: CommandInput, context: CliContext): Promise<undefined> {
  await using client = await context.connect()
  const { contacts } = await client.call('contact.list', {})
  const rows = contacts.map(({ petname, did }) => [petname, did])
  await printResult(context, { contacts }, rows.length > 0 ? formatTable(rows) : ['no contacts yet'])
}
