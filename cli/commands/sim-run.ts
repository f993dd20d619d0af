import type { CliContext, CommandInput } from '../context.ts'
import { requiredArgument, switchOption, textOption } from '../input.ts'
import { showRuns } from '../simulation.ts'

/** Options that the simulator itself reads and checks. */
const PASSED_ON = ['nodes', 'seed', 'seeds', 'duration', 'report', 'plant', 'trace', 'series'] as const

/** `elastos sim run SCENARIO`; exits with 1 when something did not hold. */
export async function run(input: CommandInput, context: CliContext): Promise<number> {
  return await showRuns(context, ['run', ...simulatorArgs(input)], { showsTail: false })
}

/** The scenario and the options of a run, as the simulator takes them. */
export function simulatorArgs(input: CommandInput): string[] {
  const flags = PASSED_ON.flatMap((name) => {
    const value = textOption(input, name)
    return value === undefined ? [] : [`--${name}=${value}`]
  })
  const force = switchOption(input, 'force') ? ['--force'] : []
  return [...flags, ...force, '--', requiredArgument(input, 'scenario')]
}
