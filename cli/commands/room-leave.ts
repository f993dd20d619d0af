import type { CliContext, CommandInput } from '../context.ts'
import { requiredArgument } from '../input.ts'
import { printResult } from '../output.ts'

/** `elastos room leave NAME` */
export async function run(input: CommandInput, context: CliContext): Promise<undefined> {
  await using client = await context.connect()
  const done = await client.call('room.leave', { room: requiredArgument(input, 'name') })
  await printResult(context, done, [`you left ${done.room}`])
}
