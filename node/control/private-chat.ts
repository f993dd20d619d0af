import type { Clock } from '#contracts'
import type { Did } from '#did'
import type { DeviceOfPerson, Member, PrivateEvent, PrivateRooms, PrivateText } from '#rooms'
import type { Contacts } from '../contacts.ts'
import { attempt } from './attempt.ts'
import { sayDirect } from './direct-talk.ts'
import { findRoom } from './private-room-handlers.ts'
import type { CallContext } from './server.ts'

/** What a chat in a private room acts on. */
export interface PrivateChatParts {
  readonly privateRooms: PrivateRooms
  readonly contacts: Pick<Contacts, 'list'>
  readonly clock: Clock
}

const DID_PREFIX = 'did:key:'
const SHORT_DID_CHARS = 12

interface Visit {
  readonly group: string
  readonly context: CallContext
  readonly memberOf: (device: DeviceOfPerson) => Member
  /** Texts that were shown in this visit. */
  readonly shown: Set<string>
}

/** Shows a private room in a chat, as the chat shows any room: what is kept of it first, then what happens. */
export function createPrivateChat(
  parts: PrivateChatParts
): (room: string, context: CallContext) => Promise<{ room: string }> {
  return async (room, context) => {
    const { signal, emit } = context
    const { group, name, members } = findRoom(parts.privateRooms, room)
    const visit: Visit = { group, context, memberOf: createMemberOf(parts), shown: new Set() }
    if (signal.aborted) return { room: name }
    const events = parts.privateRooms.events()[Symbol.asyncIterator]()
    signal.addEventListener('abort', () => void events.return?.(), { once: true })
    try {
      await emit({ kind: 'room', event: { type: 'here', room: name, members: members.map(visit.memberOf) } })
      for (const text of await parts.privateRooms.texts(group)) await showText(visit, text)
      void relay(parts, visit, events).catch(() => undefined)
      await takeInputs(parts, visit)
    } finally {
      await events.return?.()
    }
    return { room: name }
  }
}

/** What the user types, until they leave. */
async function takeInputs(parts: PrivateChatParts, visit: Visit): Promise<void> {
  const { context } = visit
  const { signal } = context
  const labelOf = (did: Did): string => visit.memberOf({ person: did, device: did }).label
  const left = new Promise<undefined>((resolve) => {
    signal.addEventListener('abort', () => resolve(undefined), { once: true })
  })
  while (!signal.aborted) {
    const input = await Promise.race([context.nextInput(), left])
    if (input === undefined) break
    if (input.kind === 'text') attempt(context, 'send', async () => await say(parts, visit, input.text))
    if (input.kind === 'direct')
      attempt(context, 'direct', async () => await sayDirect(parts, context, { ...input, labelOf }))
  }
}

function createMemberOf({ privateRooms, contacts, clock }: PrivateChatParts): Visit['memberOf'] {
  const joinedAtMs = clock.nowMs()
  const own = privateRooms.own
  return ({ person, device }) => {
    const petname = contacts.list().find(({ did }) => did === person)?.petname
    const short = person.slice(DID_PREFIX.length, DID_PREFIX.length + SHORT_DID_CHARS)
    const nick = petname ?? (person === own.person ? 'me' : short)
    return { author: person, device, nick, label: nick, isSelf: device === own.device, joinedAtMs }
  }
}

async function relay(
  { privateRooms }: PrivateChatParts,
  visit: Visit,
  events: AsyncIterator<PrivateEvent>
): Promise<void> {
  for (;;) {
    const next = await events.next()
    if (next.done === true || visit.context.signal.aborted) return
    const event = next.value
    if (event.type === 'missed') {
      for (const text of await privateRooms.texts(visit.group)) await showText(visit, text)
    } else if (event.group === visit.group) await showEvent(visit, event)
  }
}

async function showEvent(visit: Visit, event: Exclude<PrivateEvent, { type: 'missed' }>): Promise<void> {
  const { emit } = visit.context
  switch (event.type) {
    case 'text':
      await showText(visit, { ...event, person: event.from.person, device: event.from.device })
      break
    case 'members':
      for (const one of event.added)
        await emit({ kind: 'room', event: { type: 'joined', member: visit.memberOf(one) } })
      for (const one of event.removed)
        await emit({ kind: 'room', event: { type: 'left', member: visit.memberOf(one), reason: 'leave' } })
      break
    case 'out':
      await tell(visit, 'you are not in this room any more')
      break
    case 'rejoining':
      await tell(visit, 'the others went on without this device: asking to be taken in again')
      break
    case 'opened':
      break
  }
}

async function tell({ context }: Visit, text: string): Promise<void> {
  await context.emit({ kind: 'room', event: { type: 'notice', code: 'private', text } })
}

async function showText(visit: Visit, said: PrivateText): Promise<void> {
  const { id, person, device, text, sentAtMs } = said
  if (visit.shown.has(id)) return
  visit.shown.add(id)
  const { author, nick, label, isSelf } = visit.memberOf({ person, device })
  const says = { id, author, device, nick, label, isSelf, text, sentAtMs, receivedAtMs: sentAtMs, index: 0 }
  await visit.context.emit({ kind: 'room', event: { type: 'message', ...says } })
  // Before this visit, or from another device of ours: nothing of it is on its way any more.
  if (isSelf) await visit.context.emit({ kind: 'room', event: { type: 'sent', id, recipients: 1 } })
}

async function say({ privateRooms }: PrivateChatParts, visit: Visit, text: string): Promise<void> {
  await privateRooms.say(visit.group, text)
}
