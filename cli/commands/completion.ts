import { completionScript } from '../completion.ts'
import type { CliContext, CommandInput } from '../context.ts'
import { requiredArgument } from '../input.ts'

/** `elastos completion SHELL` */
export async function run(input: CommandInput, context: CliContext): Promise<undefined> {
  await context.stdout.write(completionScript(requiredArgument(input, 'shell')))
}
