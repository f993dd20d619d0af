import type { Member, MemberChange, TextEvent } from '#rooms'
import { MEMBERS_SHOWN_MAX } from './constants.ts'
import { addEntry, still, then } from './entries.ts'
import { clockOff, plainLines } from './entry-lines.ts'
import { hideMessage, onModerated } from './hidden.ts'
import type { ChatRoomEvent, ChatState, ChatStep, DirectEvent } from './state.ts'

/** What an event of the room changes. */
export function onRoomEvent(state: ChatState, event: ChatRoomEvent): ChatStep {
  switch (event.type) {
    case 'here':
      return onHere(state, event.room, event.members)
    case 'message':
      return onMessage(state, event)
    case 'direct':
      return onDirect(state, event)
    case 'sent':
      return onSent(state, event.id, event.recipients)
    case 'joined':
    case 'left':
    case 'nick':
      return onMember(state, event)
    case 'moderated':
      return onModerated(state, event)
    case 'notice':
      return addEntry(state, { kind: 'note', text: event.text })
    case 'dropped': {
      const what =
        event.code === 'slow-consumer' ? 'missed: this terminal is too slow' : `dropped: ${event.code}`
      return addEntry(state, {
        kind: 'note',
        text: `${event.count} message${event.count === 1 ? '' : 's'} ${what}`
      })
    }
  }
}

function onHere(state: ChatState, room: string, members: readonly Member[]): ChatStep {
  const self = members.find((member) => member.isSelf)
  const nick = self?.nick ?? state.nick
  const joined = { ...state, room, nick, isJoined: true, members: members.slice(0, MEMBERS_SHOWN_MAX) }
  const others = members.filter((member) => !member.isSelf).map((member) => member.label)
  const company = others.length === 0 ? 'looking for others' : `here: ${others.join(', ')}`
  return addEntry(joined, { kind: 'event', text: `you are in ${room} as ${nick}; ${company}` })
}

function onMessage(state: ChatState, event: TextEvent): ChatStep {
  const { id, label, author, text, isSelf, receivedAtMs, clockOffMs } = event
  if (isBlocked(state, event)) return still(state)
  const isHistory = event.isHistory === true
  // Over a pipe what was printed in an earlier visit is not printed again.
  if (event.isSeen === true && state.mode === 'lines') return still(state)
  if (event.hiddenBy !== undefined) return hideMessage(state, event)
  return addEntry(state, {
    ...{ kind: 'message', id, label, author, text, isSelf, atMs: isHistory ? event.sentAtMs : receivedAtMs },
    ...(isSelf && !isHistory ? { delivery: 'pending' } : {}),
    ...(isHistory && event.isSeen !== true ? { isMissed: true } : {}),
    ...(clockOffMs === undefined ? {} : { clockOffMs })
  })
}

function onDirect(state: ChatState, event: DirectEvent): ChatStep {
  const { id, author, label, isSelf, text, receivedAtMs } = event
  if (!isSelf && state.blocked.includes(author)) return still(state)
  return addEntry(state, {
    ...{ kind: 'message', id, author, label, isSelf, isDirect: true, text, atMs: receivedAtMs },
    ...(isSelf ? { delivery: 'pending' } : {})
  })
}

function isBlocked(state: ChatState, { author, device }: Pick<Member, 'author' | 'device'>): boolean {
  return state.blocked.includes(author) || state.blocked.includes(device)
}

function onSent(state: ChatState, id: string, recipients: number): ChatStep {
  const delivery = recipients > 0 ? 'heard' : 'unheard'
  const said = state.entries.find((entry) => entry.id === id)
  const entries = state.entries.map((entry) => (entry.id === id ? ({ ...entry, delivery } as const) : entry))
  const next = { ...state, entries, pendingCount: Math.max(state.pendingCount - 1, 0) }
  if (recipients > 0 || state.mode === 'screen' || said === undefined) return still(next)
  const room = state.isBehind ? state.room : undefined
  const lines = plainLines({ ...said, delivery }, state.utcOffsetMinutes, room)
  return { state: next, effects: lines.map((line) => ({ type: 'note', line })) }
}

function onMember(state: ChatState, change: MemberChange): ChatStep {
  const { member } = change
  if (isBlocked(state, member) && change.type !== 'left') return still(state)
  const others = state.members.filter((other) => other.device !== member.device)
  const isHere = change.type !== 'left'
  const members = isHere ? [...others, member].slice(-MEMBERS_SHOWN_MAX) : others
  const nick = member.isSelf && isHere ? member.nick : state.nick
  return then(still({ ...state, members: selfFirst(members), nick }), (next) =>
    addEntry(next, { kind: 'event', text: sayChange(change) })
  )
}

function selfFirst(members: readonly Member[]): readonly Member[] {
  return [...members.filter((member) => member.isSelf), ...members.filter((member) => !member.isSelf)]
}

function sayChange(change: MemberChange): string {
  const { label, clockOffMs } = change.member
  if (change.type === 'nick') return `${change.previousLabel} is now ${label}`
  if (change.type === 'left') {
    return change.reason === 'leave' ? `${label} left` : `${label} is gone: no sign of life`
  }
  return clockOffMs === undefined
    ? `${label} is here`
    : `${label} is here; their clock is ${clockOff(clockOffMs)}`
}
