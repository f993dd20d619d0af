import { ROOMS_MAX } from './constants.ts'
import { RoomError } from './errors.ts'
import { startHistoryServer } from './history-server.ts'
import { startKeeper } from './mailbox/keeper.ts'
import { createMailbox, type Mailbox } from './mailbox/mailbox.ts'
import { startMembersServer } from './members-server.ts'
import { moderateStored } from './moderation/stored.ts'
import { startModerationServer } from './moderation/server.ts'
import type { ModerationChange, ModerationStatus } from './moderation/own-list.ts'
import { startRoomOn, type Room, type RoomComponents, type RoomInit } from './room.ts'
import { createMemoryRoomStore } from './store.ts'
import { parseRoomName } from './text.ts'
import { createTurns } from './turns.ts'

/** All rooms of one node. Disposing it leaves them. */
export interface Rooms extends AsyncDisposable {
  /**
   * Joins a room, as {@link startRoom} does.
   *
   * @throws RoomError `ERR_ROOM_NAME_INVALID`, `ERR_NICK_INVALID`, `ERR_ROOM_JOINED` when this node is in it already,
   * `ERR_ROOM_BUSY` when it is in too many, `ERR_ROOM_CLOSED`
   */
  join(init: RoomInit): Promise<Room>
  /**
   * Changes the moderation of a room, or only tells it; whether this node is in it or not.
   *
   * @throws RoomError `ERR_ROOM_NAME_INVALID`, `ERR_MODERATION_FULL` or `ERR_ROOM_BUSY`
   */
  moderate(room: string, change: ModerationChange): Promise<ModerationStatus>
  /** Messages that other peers keep, for rooms and for people. */
  readonly mailbox: Mailbox
}

/** Starts serving rooms: the one for a node that may be in several at a time. */
export async function startRooms(components: RoomComponents): Promise<Rooms> {
  await using stack = new AsyncDisposableStack()
  const members = stack.use(await startMembersServer(components.transport))
  const history = stack.use(await startHistoryServer(components.transport))
  const moderation = stack.use(await startModerationServer(components.transport))
  const mailbox = createMailbox(components)
  const servers = { members, history, moderation, mailbox }
  stack.use(await startKeeper({ ...components, store: components.store ?? createMemoryRoomStore() }))
  const joined = new Map<string, Promise<Room>>()
  const open = new Map<string, Room>()
  // Who opens what is kept of a room while somebody else changes it would write over that.
  const turns = createTurns()
  let isClosed = false
  // In reverse order: the rooms are left before the server they share stops.
  stack.defer(async () => {
    isClosed = true
    const rooms = await Promise.allSettled([...joined.values()])
    const disposals = rooms.flatMap((room) =>
      room.status === 'fulfilled' ? [room.value[Symbol.asyncDispose]()] : []
    )
    await Promise.all(disposals)
  })
  const join = async (name: string, init: RoomInit): Promise<Room> => {
    const room = await startRoomOn(servers, components, init)
    const dispose = async (): Promise<void> => {
      await room[Symbol.asyncDispose]()
      open.delete(name)
      joined.delete(name)
    }
    open.set(name, room)
    return { ...room, [Symbol.asyncDispose]: dispose }
  }
  const running = stack.move()
  return {
    mailbox,
    moderate: async (room, change) => {
      const name = parseRoomName(room)
      return await turns.take(name, async () => {
        const moderation = open.get(name)?.moderation
        return await (moderation?.change(change) ?? moderateStored(components, name, change))
      })
    },
    join: async (init) => {
      const name = parseRoomName(init.room)
      if (isClosed) throw new RoomError('ERR_ROOM_CLOSED', 'expected rooms that were not stopped')
      if (joined.has(name)) throw new RoomError('ERR_ROOM_JOINED', 'expected a room this node is not in yet')
      if (joined.size >= ROOMS_MAX)
        throw new RoomError('ERR_ROOM_BUSY', `expected at most ${ROOMS_MAX} rooms`)
      const joining = turns.take(name, async () => await join(name, init))
      joined.set(name, joining)
      joining.catch(() => joined.delete(name))
      return joining
    },
    [Symbol.asyncDispose]: () => running.disposeAsync()
  }
}
