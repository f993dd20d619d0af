import type { ChatInit } from '#chat'
import { runChatJson } from '../chat-json.ts'
import { runChatLines, runChatScreen } from '../chat-session.ts'
import type { CliContext, CommandInput, ControlClient } from '../context.ts'
import { optionalArgument, switchOption, textOption } from '../input.ts'

const ROOM_DEFAULT = 'lobby'

/** `elastos chat [ROOM]` */
export async function run(input: CommandInput, context: CliContext): Promise<undefined> {
  const room = optionalArgument(input, 'room') ?? ROOM_DEFAULT
  const nick = textOption(input, 'nick') ?? context.environment['USER'] ?? 'someone'
  await using connected = await context.connect()
  const isPrivate = switchOption(input, 'private')
  const client = isPrivate ? inPrivate(connected) : connected
  if (context.json) {
    await runChatJson(context, client, { room, nick })
    return
  }
  const { hasChatted } = await client.call('node.status', {})
  const isScreen = context.stdinIsTerminal && context.stdout.isTerminal && !switchOption(input, 'line')
  const init: ChatInit = {
    mode: isScreen ? 'screen' : 'lines',
    ...{ room, nick },
    nowMs: context.clock.nowMs(),
    utcOffsetMinutes: context.utcOffsetMinutes,
    // The notice is about rooms that anybody may join.
    isFirstUse: !hasChatted && !isPrivate,
    ...(isScreen ? { columns: context.stdout.columns, rows: context.stdout.rows } : {})
  }
  await (isScreen ? runChatScreen : runChatLines)(context, client, init)
}

/** The rooms that are joined over this client are private ones. */
function inPrivate(client: ControlClient): ControlClient {
  return {
    call: async (...call) => await client.call(...call),
    open: (method, params, options) => {
      const isJoin = method === 'chat.join'
      return client.open(method, isJoin ? { ...params, isPrivate: true } : params, options)
    },
    [Symbol.asyncDispose]: async () => await client[Symbol.asyncDispose]()
  }
}
