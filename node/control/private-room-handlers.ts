import type { PrivateRoomStatus } from '#contracts'
import { parseDid, type Did } from '#did'
import { RoomError, type ConversationStatus, type PrivateRooms } from '#rooms'
import type { Contacts } from '../contacts.ts'
import type { HandlersOf } from './handlers.ts'

/** What the handlers act on. */
export interface PrivateRoomHandlerParts {
  readonly privateRooms: PrivateRooms
  readonly contacts: Pick<Contacts, 'didOf'>
}

/** Private rooms for commands. */
export function createPrivateRoomHandlers({
  privateRooms,
  contacts
}: PrivateRoomHandlerParts): HandlersOf<
  'room.list' | 'room.create' | 'room.invite' | 'room.remove' | 'room.leave'
> {
  const didOf = (person: string): Did =>
    person.startsWith('did:') ? parseDid(person) : contacts.didOf(person)
  return {
    'room.list': async () => await Promise.resolve({ rooms: privateRooms.list().map(describe) }),
    'room.create': async ({ name }) => describe(await privateRooms.createRoom(name)),
    'room.invite': async ({ room, person }, { signal }) => {
      await privateRooms.invite(findRoom(privateRooms, room).group, didOf(person), { signal })
      return { room, person }
    },
    'room.remove': async ({ room, person }) => {
      await privateRooms.remove(findRoom(privateRooms, room).group, didOf(person))
      return { room, person }
    },
    'room.leave': async ({ room }) => {
      await privateRooms.leave(findRoom(privateRooms, room).group)
      return { room }
    }
  }
}

/**
 * The private room that is meant: by its name, if one alone that this device is in has it, or by its 64 digits.
 *
 * @throws RoomError `ERR_PRIVATE_UNKNOWN`
 */
export function findRoom(privateRooms: Pick<PrivateRooms, 'list'>, room: string): ConversationStatus {
  const here = privateRooms.list().filter(({ kind, isIn }) => kind === 'room' && isIn)
  const named = here.filter(({ name, group }) => group === room || name === room.normalize('NFC'))
  const [found, ...more] = named
  if (found !== undefined && more.length === 0) return found
  const what = more.length === 0 ? 'a private room you are in' : 'the digits of one of several private rooms'
  throw new RoomError('ERR_PRIVATE_UNKNOWN', `expected ${what}: 'elastos room list' shows them`)
}

function describe({ kind, name, group, members, isIn }: ConversationStatus): PrivateRoomStatus {
  const persons = [...new Set(members.map(({ person }) => person))]
  return { kind, name, group, persons, devices: members.length, isIn }
}
