import type { HostPower, Provider, ProviderRequest } from '#capsule-host'
import type { PeerEvent, PeerNick, PeerPublish, PeerRoom } from '#providers'
import { RoomError, type Room, type Rooms } from '#rooms'

/** What the power to be in rooms acts on. */
export interface RoomsPowerComponents {
  readonly rooms: Pick<Rooms, 'join'>
  /** Remembers that a room was used on this device. */
  readonly noteUse: () => Promise<void>
}

/** Rooms one run of a capsule may be in at a time. */
const ROOMS_PER_SESSION_MAX = 4

/** A room a capsule is in. */
interface Visit {
  readonly sessionId: string
  readonly room: Promise<Room>
}

/**
 * Rooms of this node, for the provider of `peer@1`. A room that a capsule joined is its own for as long as its session
 * lasts: others neither hear it nor speak in it, whatever tokens they hold.
 */
export function createRoomsPower(components: RoomsPowerComponents): HostPower {
  const visits = new Map<string, Visit>()
  const leave = async (name: string, visit: Visit): Promise<void> => {
    // Left before, and perhaps joined by another since: that visit is none of this one's business.
    if (visits.get(name) !== visit) return
    visits.delete(name)
    await visit.room.then(async (room) => await room[Symbol.asyncDispose]()).catch(() => undefined)
  }
  const join = async (request: ProviderRequest, { room: name, nick }: PeerNick): Promise<void> => {
    if (visits.has(name)) throw new RoomError('ERR_ROOM_JOINED', 'expected a room nobody here is in yet')
    const own = [...visits.values()].filter(({ sessionId }) => sessionId === request.sessionId)
    if (own.length >= ROOMS_PER_SESSION_MAX) {
      throw new RoomError('ERR_ROOM_BUSY', `expected at most ${ROOMS_PER_SESSION_MAX} rooms a capsule`)
    }
    request.sessionSignal.throwIfAborted()
    const visit = { sessionId: request.sessionId, room: components.rooms.join({ room: name, nick }) }
    visits.set(name, visit)
    request.sessionSignal.addEventListener('abort', () => void leave(name, visit), { once: true })
    try {
      await visit.room
    } catch (thrown) {
      if (visits.get(name) === visit) visits.delete(name)
      throw thrown
    }
    await components.noteUse()
  }
  const visitOf = ({ sessionId }: ProviderRequest, { room }: PeerRoom): Visit => {
    const visit = visits.get(room)
    if (visit?.sessionId === sessionId) return visit
    throw new RoomError('ERR_ROOM_NOT_JOINED', 'expected a room that was joined')
  }
  const visited = async (request: ProviderRequest, where: PeerRoom): Promise<Room> =>
    await visitOf(request, where).room
  const provider: Provider = {
    call: async (request) => {
      const where = request.params as PeerRoom
      switch (request.command) {
        case 'peer/join':
          await join(request, request.params as PeerNick)
          return {}
        case 'peer/nick':
          ;(await visited(request, where)).setNick((request.params as PeerNick).nick)
          return {}
        case 'peer/publish':
          return await (await visited(request, where)).send((request.params as PeerPublish).text)
        case 'peer/members':
          return { members: (await visited(request, where)).members() }
        case 'peer/leave':
          await leave(where.room, visitOf(request, where))
          return {}
        default:
          throw new RoomError('ERR_ROOM_NOT_JOINED', `expected a command of peer@1, got ${request.command}`)
      }
    },
    open: (request) => hear(visited(request, request.params as PeerRoom), request.signal)
  }
  return { contract: 'peer@1', helps: {}, provider }
}

/** What happens in the room, until it is left or nobody listens any more. */
async function* hear(joined: Promise<Room>, signal: AbortSignal): AsyncGenerator<PeerEvent> {
  const events = (await joined).told()[Symbol.asyncIterator]()
  const aborted = new Promise<{ done: true; value: undefined }>((resolve) => {
    signal.addEventListener('abort', () => resolve({ done: true, value: undefined }), { once: true })
  })
  try {
    for (;;) {
      if (signal.aborted) return
      const next = await Promise.race([events.next(), aborted])
      if (next.done === true) return
      // Its texts say it themselves; what was told before stays told to a capsule.
      if (next.value.type !== 'moderated') yield { ...next.value }
    }
  } finally {
    // Not awaited: a room in which nothing happens would never answer.
    void events.return?.()
  }
}
