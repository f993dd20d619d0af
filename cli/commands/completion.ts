import { printCompletionScript } from '../completion.ts'
import type { CommandInput } from '../context.ts'
import { requiredArgument } from '../input.ts'

/** `elastos completion SHELL` */
export async function run(input: CommandInput): Promise<undefined> {
  printCompletionScript(requiredArgument(input, 'shell'))
  await Promise.resolve()
}
