import { DidError, openEnvelope, parseDid, personOfDevice, sealEnvelope, type Did, type Signer } from '#did'
import { CERTIFICATE_BYTES_MAX, CLOCK_DROP_MS } from '../constants.ts'
import { RoomError } from '../errors.ts'
import { isCount, readMap } from '../wire.ts'
import {
  APPOINTED_MAX,
  LIST_AGE_MS_MAX,
  LIST_BYTES_MAX,
  MODERATION_PROTOCOL,
  MODERATION_TYPE,
  MUTED_MAX,
  REMOVED_MAX
} from './constants.ts'

/** What one moderator of one room says is not to be shown. Each list replaces the one before it. */
export interface ModerationFields {
  readonly room: string
  /** The did of the person, or of the device when it belongs to no person. */
  readonly author: Did
  /** Grows with every list of its author: the highest one holds, for ever. */
  readonly sequence: number
  /** By the author's clock, milliseconds since the Unix epoch. */
  readonly issuedAtMs: number
  /** From then on it holds no more. */
  readonly expiresAtMs: number
  /** Others whose lists hold too for whoever follows this one; theirs appoint nobody. Sorted, none twice. */
  readonly appointed: readonly Did[]
  /** People or devices whose words are not shown, until when; 0 for as long as the list holds. Sorted, none twice. */
  readonly muted: readonly (readonly [did: Did, untilMs: number])[]
  /** Texts that are not shown, by device and sequence number. Sorted, none twice. */
  readonly removed: readonly (readonly [device: Did, sequence: number])[]
}

/** A list whose signature and certificate hold, as it was signed. */
export interface ModerationList extends ModerationFields {
  /** The device that signed. */
  readonly device: Did
  readonly bytes: Uint8Array
}

/**
 * Signs a list as device `signer`. `certificate` is needed when the author is not the device itself.
 *
 * @throws RoomError `ERR_MODERATION_FULL` for more than a list holds
 */
export function sealModerationList(
  signer: Signer,
  fields: ModerationFields,
  certificate?: Uint8Array
): ModerationList {
  const { appointed, muted, removed } = fields
  if (appointed.length > APPOINTED_MAX || muted.length > MUTED_MAX || removed.length > REMOVED_MAX) {
    const most = `${APPOINTED_MAX} moderators, ${MUTED_MAX} people and ${REMOVED_MAX} messages`
    throw new RoomError('ERR_MODERATION_FULL', `expected at most ${most} in one list`)
  }
  if (fields.sequence > SEQUENCE_MAX) {
    const way = 'a device that its person revokes counts no more'
    throw new RoomError('ERR_MODERATION_FULL', `expected a list before this one to leave a number; ${way}`)
  }
  const sorted = {
    ...fields,
    appointed: [...appointed].sort(byText),
    muted: [...muted].sort(byDid),
    removed: [...removed].sort(byDidAndNumber)
  }
  const payload = { ...sorted, ...(certificate === undefined ? {} : { certificate }) }
  const bytes = sealEnvelope(signer, { domain: MODERATION_PROTOCOL, type: MODERATION_TYPE, payload })
  return { ...sorted, device: signer.did, bytes }
}

/**
 * Verifies a list that comes from somebody. Order: size, envelope and signature, schema, room, certificate, time.
 *
 * @throws RoomError `ERR_MESSAGE_TOO_LARGE`, `ERR_MESSAGE_MALFORMED`, `ERR_MESSAGE_SIGNATURE`, `ERR_MESSAGE_ROOM`,
 * `ERR_MESSAGE_CERTIFICATE` or `ERR_MESSAGE_TIME`
 * @see docs/protocols/moderation.md
 */
export function openModerationList(
  bytes: Uint8Array,
  { room, nowMs }: { readonly room: string; readonly nowMs: number }
): ModerationList {
  const list = verifyModerationList(bytes, room)
  if (list.expiresAtMs <= nowMs || list.issuedAtMs > nowMs + CLOCK_DROP_MS) {
    throw new RoomError('ERR_MESSAGE_TIME', 'expected a list that holds now')
  }
  return list
}

/** {@link openModerationList} without the time: for a list that was taken before, and is to count whatever the clock says now. */
export function verifyModerationList(bytes: Uint8Array, room: string): ModerationList {
  if (bytes.length > LIST_BYTES_MAX) {
    throw new RoomError(
      'ERR_MESSAGE_TOO_LARGE',
      `expected at most ${LIST_BYTES_MAX} bytes, got ${bytes.length}`
    )
  }
  const { signer, payload } = openSigned(bytes)
  const { fields, certificate } = readFields(payload)
  if (fields.room !== room) {
    throw new RoomError('ERR_MESSAGE_ROOM', 'expected a list for this room, got one for another')
  }
  assertAuthor(signer, fields.author, certificate)
  return { ...fields, device: signer, bytes }
}

function openSigned(bytes: Uint8Array): { signer: Did; payload: unknown } {
  try {
    const expected = { domain: MODERATION_PROTOCOL, type: MODERATION_TYPE, bytesMax: LIST_BYTES_MAX }
    return openEnvelope(bytes, expected)
  } catch (cause) {
    const isSignature = cause instanceof DidError && cause.code === 'ERR_ENVELOPE_SIGNATURE'
    if (!isSignature) throw malformed('an envelope of this protocol', cause)
    throw new RoomError('ERR_MESSAGE_SIGNATURE', 'expected a signature that verifies', { cause })
  }
}

/** One less than what is exact in JavaScript: a list above every other one can still be followed by one. */
const SEQUENCE_MAX = Number.MAX_SAFE_INTEGER - 1

const REQUIRED = [
  ...['room', 'author', 'sequence', 'issuedAtMs', 'expiresAtMs'],
  ...['appointed', 'muted', 'removed']
]

function readFields(payload: unknown): { fields: ModerationFields; certificate: Uint8Array | undefined } {
  const map = readMap(payload, REQUIRED, ['certificate'])
  if (map === undefined) throw malformed(`a map of ${REQUIRED.join(', ')}`)
  const { room, author, sequence, issuedAtMs, expiresAtMs, certificate } = map
  if (typeof room !== 'string') throw malformed('the name of a room')
  if (!isCount(sequence) || !isCount(issuedAtMs) || !isCount(expiresAtMs)) throw malformed('counts and times')
  if (sequence > SEQUENCE_MAX) throw malformed(`a sequence of at most ${SEQUENCE_MAX}`)
  if (expiresAtMs <= issuedAtMs || expiresAtMs - issuedAtMs > LIST_AGE_MS_MAX) {
    throw malformed(`a list that holds for at most ${LIST_AGE_MS_MAX} ms`)
  }
  if (certificate !== undefined && !isCertificate(certificate)) throw malformed('a short certificate')
  const lists = {
    appointed: readList(map['appointed'], { itemsMax: APPOINTED_MAX, read: readDid, compare: byText }),
    muted: readList(map['muted'], { itemsMax: MUTED_MAX, read: readPair, compare: byDid }),
    removed: readList(map['removed'], { itemsMax: REMOVED_MAX, read: readPair, compare: byDidAndNumber })
  }
  return {
    fields: { room, author: readDid(author), sequence, issuedAtMs, expiresAtMs, ...lists },
    certificate
  }
}

interface ListRule<T> {
  readonly itemsMax: number
  readonly read: (item: unknown) => T
  readonly compare: (one: T, other: T) => number
}

/** Entries in their order, none twice: one list has one form. */
function readList<T>(value: unknown, { itemsMax, read, compare }: ListRule<T>): readonly T[] {
  if (!Array.isArray(value) || value.length > itemsMax) throw malformed(`at most ${itemsMax} entries`)
  const items = value.map(read)
  const isSorted = items.every((item, index) => {
    const before = items[index - 1]
    return before === undefined || compare(before, item) < 0
  })
  if (!isSorted) throw malformed('sorted entries, none twice')
  return items
}

type Numbered = readonly [did: Did, count: number]

function byText(one: string, other: string): number {
  return one < other ? -1 : one === other ? 0 : 1
}

function byDid([one]: Numbered, [other]: Numbered): number {
  return byText(one, other)
}

function byDidAndNumber(one: Numbered, other: Numbered): number {
  return byDid(one, other) || one[1] - other[1]
}

function readPair(value: unknown): readonly [Did, number] {
  if (!Array.isArray(value) || value.length !== 2) throw malformed('pairs of a did and a number')
  const [did, count] = value as readonly unknown[]
  if (!isCount(count)) throw malformed('pairs of a did and a number')
  return [readDid(did), count]
}

function readDid(value: unknown): Did {
  try {
    if (typeof value === 'string') return parseDid(value)
  } catch (cause) {
    throw malformed('a did', cause)
  }
  throw malformed('a did')
}

function isCertificate(value: unknown): value is Uint8Array {
  return value instanceof Uint8Array && value.length <= CERTIFICATE_BYTES_MAX
}

/** A device may sign for itself, or for the person whose certificate it shows; for nobody else. */
function assertAuthor(device: Did, author: Did, certificate: Uint8Array | undefined): void {
  if (certificate === undefined && author === device) return
  let person: Did | undefined
  let reason: unknown
  try {
    if (certificate !== undefined) person = personOfDevice(certificate, device)
  } catch (cause) {
    reason = cause
  }
  if (person === author) return
  const expected = 'expected a certificate that binds the device to the author'
  throw new RoomError('ERR_MESSAGE_CERTIFICATE', expected, { cause: reason })
}

function malformed(what: string, cause?: unknown): RoomError {
  return new RoomError('ERR_MESSAGE_MALFORMED', `expected ${what}`, { cause })
}
