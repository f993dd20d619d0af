import type { CliContext, CommandInput } from '../context.ts'
import { printResult } from '../output.ts'

/** `elastos replicate repair` */
export async function run(_input: CommandInput, context: CliContext): Promise<undefined> {
  await using client = await context.connect()
  const report = await client.call('replica.repair', {}, { signal: context.signal })
  const { missing, asked } = report
  await printResult(context, report, [
    missing === 0 ? 'every goal is met' : `${missing} goals miss copies; asked ${asked} devices to keep one`
  ])
}
