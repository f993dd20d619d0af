import type { CliContext, CommandInput } from '../context.ts'
import { requiredArgument } from '../input.ts'
import { printResult } from '../output.ts'

/** `elastos room invite NAME PERSON` */
export async function run(input: CommandInput, context: CliContext): Promise<undefined> {
  await using client = await context.connect()
  const params = { room: requiredArgument(input, 'name'), person: requiredArgument(input, 'person') }
  const done = await client.call('room.invite', params, { signal: context.signal })
  await printResult(context, done, [`${done.person} is invited into ${done.room}`])
}
