import type { CliContext, CommandInput } from '../context.ts'
import { EXIT } from '../exit-codes.ts'
import { printResult } from '../output.ts'

/** `elastos audit replay` */
export async function run(_input: CommandInput, context: CliContext): Promise<number> {
  await using client = await context.connect()
  const report = await client.call('audit.replay', {})
  const { agrees, entries, verdicts, differing, differences, problem } = report
  const lines = agrees
    ? [`all ${verdicts} verdicts follow from the log of ${entries} entries`]
    : [
        ...(problem === undefined
          ? []
          : [`the log is NOT as this device wrote it: ${problem.sentence} (${problem.code})`]),
        ...(differing === 0 ? [] : [`${differing} of ${verdicts} verdicts do NOT follow from the log:`]),
        ...differences.map(
          ({ number, recorded, derived }) => `  ${number}: recorded ${recorded}; derived ${derived}`
        )
      ]
  await printResult(context, report, lines)
  return agrees ? 0 : EXIT.refused
}
