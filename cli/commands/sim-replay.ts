import type { CliContext, CommandInput } from '../context.ts'
import { CliError } from '../errors.ts'
import { textOption } from '../input.ts'
import { showRuns } from '../simulation.ts'
import { simulatorArgs } from './sim-run.ts'

/** `elastos sim replay SCENARIO --seed S`: one run again, with the last of its trace and logs. */
export async function run(input: CommandInput, context: CliContext): Promise<number> {
  if (textOption(input, 'seed') === undefined) {
    throw new CliError('ERR_USAGE', 'expected --seed: a replay is a run from a seed that is known')
  }
  return await showRuns(context, ['run', ...simulatorArgs(input)], { showsTail: true })
}
