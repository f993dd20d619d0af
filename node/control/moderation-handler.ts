import type { ControlParams } from '#contracts'
import { parseDid } from '#did'
import { RoomError, type ModerationChange, type Rooms } from '#rooms'
import type { Contacts } from '../contacts.ts'
import type { Handler } from './handlers.ts'

/** What the handler acts on. */
export interface ModerationHandlerParts {
  readonly rooms: Pick<Rooms, 'moderate'>
  readonly contacts: Pick<Contacts, 'didOf'>
}

/** The moderation of rooms for commands. */
export function createModerationHandler({
  rooms,
  contacts
}: ModerationHandlerParts): Handler<'room.moderate'> {
  return async (params) => await rooms.moderate(params.room, readChange(params, contacts))
}

/** Who or what is meant: a person by petname or did, a message by the id that its event has. */
function readChange(
  { action, subject = '', untilMs }: ControlParams<'room.moderate'>,
  contacts: ModerationHandlerParts['contacts']
): ModerationChange {
  switch (action) {
    case 'list':
      return { action }
    case 'remove':
    case 'restore':
      return { action, ...readMessageId(subject) }
    case 'mute':
      return { action, did: didOf(subject, contacts), ...(untilMs === undefined ? {} : { untilMs }) }
    case 'follow':
    case 'unfollow':
    case 'unmute':
    case 'appoint':
    case 'dismiss':
      return { action, did: didOf(subject, contacts) }
  }
}

function didOf(subject: string, contacts: ModerationHandlerParts['contacts']): ReturnType<typeof parseDid> {
  return subject.startsWith('did:') ? parseDid(subject) : contacts.didOf(subject)
}

function readMessageId(subject: string): { device: ReturnType<typeof parseDid>; sequence: number } {
  const at = subject.lastIndexOf(':')
  const sequence = Number(subject.slice(at + 1))
  if (at > 0 && Number.isSafeInteger(sequence) && sequence >= 0) {
    return { device: parseDid(subject.slice(0, at)), sequence }
  }
  const expected = "expected the id of a message, as 'elastos chat --json' shows it"
  throw new RoomError('ERR_MESSAGE_MALFORMED', expected)
}
