import type { ControlEvent, EntryStatus } from '#contracts'
import type { CliContext, CommandInput } from '../context.ts'
import { optionalArgument } from '../input.ts'
import { formatBytes, formatTable, printResult } from '../output.ts'
import { run as listPins } from './pin-ls.ts'

/** `elastos ls [CID]` */
export async function run(input: CommandInput, context: CliContext): Promise<undefined> {
  const target = optionalArgument(input, 'target')
  if (target === undefined) {
    await listPins(input, context)
    return
  }
  await using client = await context.connect()
  const entries: EntryStatus[] = []
  const onEvent = (event: ControlEvent): undefined => {
    if (event.kind === 'rows') entries.push(...(event.entries ?? []))
  }
  const last = await client.call('content.list', { target, all: true }, { signal: context.signal, onEvent })
  entries.push(...last.entries)
  const rows = entries.map(({ name, cid, type, bytes }) => [
    cid,
    type === 'file' ? formatBytes(bytes) : type,
    type === 'directory' ? `${name}/` : name
  ])
  const { isCut } = last
  await printResult(context, { entries, isCut }, rows.length > 0 ? formatTable(rows) : ['empty'])
}
