import type { CliContext, CommandInput } from '../context.ts'
import { requiredArgument } from '../input.ts'
import { printResult } from '../output.ts'

/** `elastos room create NAME` */
export async function run(input: CommandInput, context: CliContext): Promise<undefined> {
  await using client = await context.connect()
  const room = await client.call('room.create', { name: requiredArgument(input, 'name') })
  const next = `invite somebody: elastos room invite ${room.name} PERSON; talk: elastos chat ${room.name} --private`
  await printResult(context, room, [`${room.name} is yours alone so far`, next])
}
