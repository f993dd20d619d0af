import type { CliContext, CommandInput } from '../context.ts'
import { optionalArgument } from '../input.ts'
import { formatBytes, formatTable, printNotice, printResult } from '../output.ts'
import { run as listPins } from './pin-ls.ts'

/** `elastos ls [CID]` */
export async function run(input: CommandInput, context: CliContext): Promise<undefined> {
  const target = optionalArgument(input, 'target')
  if (target === undefined) {
    await listPins(input, context)
    return
  }
  await using client = await context.connect()
  const { entries, isCut } = await client.call('content.list', { target }, { signal: context.signal })
  const rows = entries.map(({ name, cid, type, bytes }) => [
    cid,
    type === 'file' ? formatBytes(bytes) : type,
    type === 'directory' ? `${name}/` : name
  ])
  await printResult(context, { entries, isCut }, rows.length > 0 ? formatTable(rows) : ['empty'])
  if (isCut) await printNotice(context, `only the first ${entries.length} are shown`)
}
