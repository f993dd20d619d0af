import type { Clock } from '#contracts'
import type { PrivateRooms, Room, Rooms } from '#rooms'
import type { Contacts } from '../contacts.ts'
import { attempt } from './attempt.ts'
import { createDirectTalk } from './direct-talk.ts'
import { createPrivateChat } from './private-chat.ts'
import type { CallContext } from './server.ts'
import type { Handler } from './handlers.ts'

/** What the chat handler acts on. */
export interface ChatHandlerParts {
  readonly rooms: Rooms
  readonly privateRooms: PrivateRooms
  readonly contacts: Pick<Contacts, 'list'>
  readonly clock: Clock
  /** Remembers that a room was used on this device. */
  readonly noteUse: () => Promise<void>
}

/** Joins a room for as long as the caller stays; what the caller types is said, what happens is sent. */
export function createChatHandler(parts: ChatHandlerParts): Handler<'chat.join'> {
  const { rooms, noteUse } = parts
  const direct = createDirectTalk(parts)
  const visitPrivate = createPrivateChat(parts)
  return async ({ room: name, nick, isPrivate = false }, context) => {
    const { signal, emit } = context
    if (isPrivate) return await visitPrivate(name, context)
    await using room = await rooms.join({ room: name, nick })
    await noteUse()
    await emit({ kind: 'room', event: { type: 'here', room: room.name, members: room.members() } })
    void relayEvents(room, context).catch(() => undefined)
    using talk = direct.join(room, context)
    const left = new Promise<undefined>((resolve) => {
      signal.addEventListener('abort', () => resolve(undefined), { once: true })
    })
    while (!signal.aborted) {
      const input = await Promise.race([context.nextInput(), left])
      if (input === undefined) break
      if (input.kind === 'nick') attempt(context, 'nick', () => room.setNick(input.nick))
      if (input.kind === 'direct')
        attempt(context, 'direct', async () => await talk.say(input.to, input.text))
      if (input.kind === 'text') attempt(context, 'send', async () => await room.send(input.text))
    }
    return { room: room.name }
  }
}

async function relayEvents(room: Room, { signal, emit }: CallContext): Promise<void> {
  for await (const event of room.told()) {
    if (signal.aborted) return
    await emit({ kind: 'room', event: { ...event } })
  }
}
