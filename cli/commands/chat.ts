import { runChatJson } from '../chat-json.ts'
import type { CliContext, CommandInput } from '../context.ts'
import { optionalArgument, textOption } from '../input.ts'

const ROOM_DEFAULT = 'lobby'

/** `elastos chat [ROOM]` */
export async function run(input: CommandInput, context: CliContext): Promise<undefined> {
  const room = optionalArgument(input, 'room') ?? ROOM_DEFAULT
  const nick = textOption(input, 'nick') ?? context.environment['USER'] ?? 'someone'
  await using client = await context.connect()
  await runChatJson(context, client, { room, nick })
}
