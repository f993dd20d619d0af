import type { CliContext, CommandInput } from '../context.ts'
import { formatTable, printNotice, printResult } from '../output.ts'

/** `elastos capsule list` */
export async function run(_input: CommandInput, context: CliContext): Promise<undefined> {
  await using client = await context.connect()
  const { capsules } = await client.call('capsule.list', {})
  const rows = capsules.map(({ alias, version, publisher, running, versions }) => [
    alias,
    version,
    running === 0 ? '-' : `${running} running`,
    `${versions.length} kept`,
    publisher
  ])
  const header = ['name', 'version', 'runs', 'versions', 'signed by']
  await printResult(context, { capsules }, rows.length === 0 ? [] : formatTable([header, ...rows]))
  if (rows.length === 0) await printNotice(context, "nothing is installed: 'elastos capsule install NAME'")
}
