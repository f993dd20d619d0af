import type { Member } from '#rooms'
import { FIELD_CHARS_MAX, MEMBERS_SHOWN_MAX, MODERATED_MAX, TEXT_BYTES_MAX } from './constants.ts'
import type { ChatRoomEvent } from './state.ts'

type Fields = Readonly<Record<string, unknown>>

/**
 * An event of a room as it came over a socket or a channel, or `undefined` when it is none that this chat knows. Fields
 * that it does not know are left out, so that an older chat works with a newer node.
 */
export function readRoomEvent(value: unknown): ChatRoomEvent | undefined {
  if (!isFields(value)) return undefined
  switch (value['type']) {
    case 'here':
      return readHere(value)
    case 'message':
      return readMessage(value)
    case 'sent':
      return isText(value['id']) && isCount(value['recipients'])
        ? { type: 'sent', id: value['id'], recipients: value['recipients'] }
        : undefined
    case 'direct':
      return readDirect(value)
    case 'joined':
    case 'left':
    case 'nick':
      return readMemberChange(value)
    case 'notice':
    case 'dropped':
      return readNotice(value)
    case 'moderated':
      return readModerated(value)
    default:
      return undefined
  }
}

function readHere({ room, members }: Fields): ChatRoomEvent | undefined {
  if (!isText(room) || !Array.isArray(members) || members.length > MEMBERS_SHOWN_MAX + 1) return undefined
  const known = members.map(readMember)
  return known.every((member) => member !== undefined) ? { type: 'here', room, members: known } : undefined
}

function readMessage(value: Fields): ChatRoomEvent | undefined {
  const { id, author, device, nick, label, isSelf, text, sentAtMs, receivedAtMs, clockOffMs } = value
  const { index, isHistory, isSeen } = value
  if (!isText(id) || !isDid(author) || !isDid(device) || !isText(nick) || !isText(label)) return undefined
  if (typeof text !== 'string' || text.length > TEXT_BYTES_MAX || typeof isSelf !== 'boolean')
    return undefined
  if (!isNumber(sentAtMs) || !isNumber(receivedAtMs)) return undefined
  const base = {
    type: 'message',
    id,
    index: isCount(index) ? index : 0,
    isHistory: isHistory === true,
    isSeen: isSeen === true,
    author,
    device,
    nick,
    label,
    isSelf,
    text,
    sentAtMs,
    receivedAtMs
  } as const
  const hidden = isDid(value['hiddenBy']) ? { hiddenBy: value['hiddenBy'] } : {}
  return { ...base, ...hidden, ...(isNumber(clockOffMs) ? { clockOffMs } : {}) }
}

function readModerated({ hidden, shown }: Fields): ChatRoomEvent | undefined {
  return isIds(hidden) && isIds(shown) ? { type: 'moderated', hidden, shown } : undefined
}

function readDirect(value: Fields): ChatRoomEvent | undefined {
  const { id, author, label, isSelf, text, receivedAtMs } = value
  if (!isText(id) || !isDid(author) || !isText(label) || typeof isSelf !== 'boolean') return undefined
  if (typeof text !== 'string' || text.length > TEXT_BYTES_MAX || !isNumber(receivedAtMs)) return undefined
  return { type: 'direct', id, author, label, isSelf, text, receivedAtMs }
}

function readMemberChange(value: Fields): ChatRoomEvent | undefined {
  const { type, reason, previousLabel } = value
  const member = readMember(value['member'])
  if (member === undefined) return undefined
  if (type === 'joined') return { type, member }
  if (type === 'left') return { type, member, reason: reason === 'leave' ? reason : 'timeout' }
  return isText(previousLabel) ? { type: 'nick', member, previousLabel } : undefined
}

function readMember(value: unknown): Member | undefined {
  if (!isFields(value)) return undefined
  const { author, device, nick, label, isSelf, joinedAtMs, clockOffMs } = value
  if (!isDid(author) || !isDid(device) || !isText(nick) || !isText(label)) return undefined
  if (typeof isSelf !== 'boolean' || !isNumber(joinedAtMs)) return undefined
  const base = { author, device, nick, label, isSelf, joinedAtMs }
  return isNumber(clockOffMs) ? { ...base, clockOffMs } : base
}

function readNotice({ type, code, text, count }: Fields): ChatRoomEvent | undefined {
  if (type === 'notice') {
    const known = NOTICE_CODES.find((notice) => notice === code)
    return known !== undefined && isText(text) ? { type, code: known, text } : undefined
  }
  if (!isDropCode(code) || !isCount(count)) return undefined
  return { type: 'dropped', code, count }
}

const NOTICE_CODES = ['alone', 'unannounced', 'clock-differs'] as const

type DropCode = Extract<ChatRoomEvent, { type: 'dropped' }>['code']

function isDropCode(code: unknown): code is DropCode {
  return code === 'slow-consumer' || (isText(code) && /^ERR_(MESSAGE|ROOM)_[A-Z_]+$/.test(code))
}

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value.length <= FIELD_CHARS_MAX
}

function isIds(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.length <= MODERATED_MAX && value.every(isText)
}

function isDid(value: unknown): value is Member['author'] {
  return isText(value) && value.startsWith('did:key:z')
}

function isNumber(value: unknown): value is number {
  return Number.isFinite(value)
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0
}
