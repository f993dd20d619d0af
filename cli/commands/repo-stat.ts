import type { CliContext, CommandInput } from '../context.ts'
import { formatBytes, formatTable, printResult } from '../output.ts'

/** `elastos repo stat` */
export async function run(_input: CommandInput, context: CliContext): Promise<undefined> {
  await using client = await context.connect()
  const stat = await client.call('repo.stat', {})
  await printResult(
    context,
    stat,
    formatTable([
      ['blocks', String(stat.blocks), formatBytes(stat.bytes)],
      ['on disk', `${stat.packs} packs`, formatBytes(stat.bytesOnDisk)],
      ['pins', String(stat.pins), '']
    ])
  )
}
