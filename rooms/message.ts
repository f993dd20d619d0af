import { DidError, openEnvelope, parseDid, personOfDevice, sealEnvelope, type Did, type Signer } from '#did'
import { CERTIFICATE_BYTES_MAX, MESSAGE_BYTES_MAX, MESSAGE_TYPE, ROOM_PROTOCOL } from './constants.ts'
import { RoomError } from './errors.ts'
import { parseNick, parseText } from './text.ts'
import { isCount, readMap } from './wire.ts'

/** What a message is for: words for people, a sign of life, or a farewell. */
export type MessageKind = 'text' | 'presence' | 'leave'

/** What a message says; everything here is signed. */
export interface MessageFields {
  /** The room it is for, as {@link parseRoomName} gives it. */
  readonly room: string
  /** The did of the person, or of the device when it belongs to no person. */
  readonly author: Did
  /** Grows with every message of a device, across restarts too. */
  readonly sequence: number
  /** When it was signed by the author's clock, milliseconds since the Unix epoch. */
  readonly sentAtMs: number
  /** What the author wants to be called. Anybody may use any nick. */
  readonly nick: string
  readonly kind: MessageKind
  /** The words of a `text`; absent otherwise. */
  readonly text?: string
  /** Of a `text`: the sequence number of the text before it by this device; absent when the device knows of none. */
  readonly previous?: number
}

/** A message whose signature and certificate hold. */
export interface VerifiedMessage extends MessageFields {
  /** The did of the device that signed. */
  readonly device: Did
}

/** Finds out whose device this is; {@link personOfDevice} by default, a cache of it in a running room. */
export type PersonOfDevice = (certificate: Uint8Array, device: Did) => Did

/** What {@link openMessage} insists on. */
export interface MessageExpectation {
  /** The room that the message must be signed for. */
  readonly room: string
  readonly personOfDevice?: PersonOfDevice
}

/**
 * Signs a message as device `signer`. `certificate` is needed when the author is not the device itself.
 *
 * @throws RoomError `ERR_TEXT_TOO_LONG`, `ERR_TEXT_INVALID` or `ERR_NICK_INVALID`
 * @see docs/protocols/room.md
 */
export function sealMessage(signer: Signer, fields: MessageFields, certificate?: Uint8Array): Uint8Array {
  parseNick(fields.nick)
  if (fields.text !== undefined) parseText(fields.text)
  const payload = { ...fields, ...(certificate === undefined ? {} : { certificate }) }
  return sealEnvelope(signer, { domain: ROOM_PROTOCOL, type: MESSAGE_TYPE, payload })
}

/**
 * Verifies one message from the network. Order: size, envelope and signature, schema, room, certificate.
 *
 * @throws RoomError `ERR_MESSAGE_TOO_LARGE`, `ERR_MESSAGE_MALFORMED`, `ERR_MESSAGE_SIGNATURE`, `ERR_MESSAGE_ROOM` or
 * `ERR_MESSAGE_CERTIFICATE`
 * @see docs/protocols/room.md
 */
export function openMessage(bytes: Uint8Array, expected: MessageExpectation): VerifiedMessage {
  if (bytes.length > MESSAGE_BYTES_MAX) {
    throw new RoomError(
      'ERR_MESSAGE_TOO_LARGE',
      `expected at most ${MESSAGE_BYTES_MAX} bytes, got ${bytes.length}`
    )
  }
  const { signer, payload } = openSigned(bytes)
  const { fields, certificate } = readFields(payload)
  if (fields.room !== expected.room) {
    throw new RoomError('ERR_MESSAGE_ROOM', 'expected a message for this room, got one for another')
  }
  assertAuthor(signer, fields.author, { certificate, personOf: expected.personOfDevice ?? personOfDevice })
  return { ...fields, device: signer }
}

function openSigned(bytes: Uint8Array): { signer: Did; payload: unknown } {
  try {
    return openEnvelope(bytes, { domain: ROOM_PROTOCOL, type: MESSAGE_TYPE, bytesMax: MESSAGE_BYTES_MAX })
  } catch (cause) {
    const isSignature = cause instanceof DidError && cause.code === 'ERR_ENVELOPE_SIGNATURE'
    if (!isSignature) throw malformed('an envelope of this protocol', cause)
    throw new RoomError('ERR_MESSAGE_SIGNATURE', 'expected a signature that verifies', { cause })
  }
}

const REQUIRED = ['room', 'author', 'sequence', 'sentAtMs', 'nick', 'kind'] as const

function readFields(payload: unknown): { fields: MessageFields; certificate: Uint8Array | undefined } {
  const map = readMap(payload, REQUIRED, ['text', 'previous', 'certificate'])
  if (map === undefined) throw malformed(`a map of ${REQUIRED.join(', ')}`)
  const { room, author, sequence, sentAtMs, nick, kind, text, previous, certificate } = map
  if (typeof room !== 'string' || typeof author !== 'string') throw malformed('a room and an author')
  if (!isCount(sequence) || !isCount(sentAtMs)) throw malformed('a sequence and a time')
  if (!isKind(kind) || (kind === 'text') !== (text !== undefined))
    throw malformed('a text exactly for a text')
  const isPrevious = isCount(previous) && previous > 0 && previous < sequence && kind === 'text'
  if (previous !== undefined && !isPrevious) throw malformed('an earlier sequence with a text only')
  if (certificate !== undefined && !isCertificate(certificate)) throw malformed('a short certificate')
  const checked = { author: readDid(author), nick: readNick(nick) }
  const words = text === undefined ? {} : { text: readText(text) }
  const order = isPrevious ? { previous } : {}
  return { fields: { room, ...checked, sequence, sentAtMs, kind, ...words, ...order }, certificate }
}

function isKind(value: unknown): value is MessageKind {
  return value === 'text' || value === 'presence' || value === 'leave'
}

function isCertificate(value: unknown): value is Uint8Array {
  return value instanceof Uint8Array && value.length <= CERTIFICATE_BYTES_MAX
}

function readDid(author: string): Did {
  try {
    return parseDid(author)
  } catch (cause) {
    throw malformed('the did of an author', cause)
  }
}

function readNick(nick: unknown): string {
  try {
    if (typeof nick === 'string' && parseNick(nick) === nick) return nick
  } catch (cause) {
    throw malformed('a nick', cause)
  }
  throw malformed('a nick in its normal form')
}

function readText(text: unknown): string {
  try {
    if (typeof text === 'string') return parseText(text)
  } catch (cause) {
    throw malformed('a text without control characters', cause)
  }
  throw malformed('a text')
}

function malformed(what: string, cause?: unknown): RoomError {
  return new RoomError('ERR_MESSAGE_MALFORMED', `expected ${what}`, { cause })
}

interface AuthorProof {
  readonly certificate: Uint8Array | undefined
  readonly personOf: PersonOfDevice
}

/** A device may speak for itself, or for the person whose certificate it shows; for nobody else. */
function assertAuthor(device: Did, author: Did, { certificate, personOf }: AuthorProof): void {
  if (certificate === undefined && author === device) return
  let person: Did | undefined
  let reason: unknown
  try {
    if (certificate !== undefined) person = personOf(certificate, device)
  } catch (cause) {
    reason = cause
  }
  if (person === author) return
  throw new RoomError(
    'ERR_MESSAGE_CERTIFICATE',
    'expected a certificate that binds the device to the author',
    {
      cause: reason
    }
  )
}
