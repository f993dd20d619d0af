import { errorCode, errorMessage } from '#contracts'
import type { Rooms } from '#rooms'
import type { Handler } from './handlers.ts'

/** Joins a room for as long as the caller stays; what the caller types is said, what happens is sent. */
export function createChatHandler(rooms: Rooms): Handler<'chat.join'> {
  return async ({ room: name, nick }, { signal, emit, nextInput }) => {
    await using room = await rooms.join({ room: name, nick })
    const relay = async (): Promise<void> => {
      for await (const event of room.events()) {
        if (signal.aborted) return
        await emit({ kind: 'room', event: { ...event } })
      }
    }
    await emit({ kind: 'room', event: { type: 'entered', room: room.name, members: room.members() } })
    void relay().catch(() => undefined)
    // A text nobody may say is told to its author and ends nothing.
    const say = (text: string): void =>
      void room
        .send(text)
        .then(
          async ({ id, recipients }) => await emit({ kind: 'room', event: { type: 'sent', id, recipients } }),
          async (thrown: unknown) =>
            await emit({
              kind: 'room',
              event: { type: 'refused', code: errorCode(thrown), text: errorMessage(thrown) }
            })
        )
        .catch(() => undefined)
    const left = new Promise<undefined>((resolve) => {
      signal.addEventListener('abort', () => resolve(undefined), { once: true })
    })
    for (;;) {
      const input = signal.aborted ? undefined : await Promise.race([nextInput(), left])
      if (input === undefined) return { room: room.name }
      if (input.kind === 'nick') room.setNick(input.nick)
      else if (input.kind === 'text') say(input.text)
    }
  }
}
