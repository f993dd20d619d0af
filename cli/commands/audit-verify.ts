import type { CliContext, CommandInput } from '../context.ts'
import { EXIT } from '../exit-codes.ts'
import { printResult } from '../output.ts'

/** `elastos audit verify` */
export async function run(_input: CommandInput, context: CliContext): Promise<number> {
  await using client = await context.connect()
  const report = await client.call('audit.verify', {})
  const { isWhole, entries, first, last, head, problem } = report
  const lines = isWhole
    ? [`the log is whole: ${entries} entries, ${first} to ${last}, head ${head}`]
    : [`the log is NOT as this device wrote it: ${problem?.sentence ?? ''} (${problem?.code ?? ''})`]
  await printResult(context, report, lines)
  return isWhole ? 0 : EXIT.refused
}
