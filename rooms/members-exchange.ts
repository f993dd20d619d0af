import { decodeCanonical, encodeCanonical } from '#did'
import {
  ADDRESSES_PER_MEMBER_MAX,
  ADDRESS_CHARS_MAX,
  MEMBERS_ANSWER_BYTES_MAX,
  MEMBERS_PER_ANSWER_MAX,
  MEMBERS_REQUEST_BYTES_MAX,
  MEMBERS_VERSION,
  MESSAGE_BYTES_MAX
} from './constants.ts'
import { RoomError } from './errors.ts'
import { isCount, readMap } from './wire.ts'

/** A member as another one tells of it: its own signed presence, and unsigned hints where it may be reached. */
export interface MemberEntry {
  /** A message of kind `presence`, exactly as the member signed it. */
  readonly presence: Uint8Array
  /** Multiaddrs. */
  readonly addresses: readonly string[]
}

/** Asks a member of a room who else is there; the requester shows that it belongs by its own presence. */
export interface MembersRequest extends MemberEntry {
  /** The topic, which tells a node in several rooms which one is meant. */
  readonly topic: string
}

/** What a member answers. */
export interface MembersAnswer {
  /** The answerer's clock, milliseconds since the Unix epoch, so that clocks that differ are noticed. */
  readonly nowMs: number
  /**
   * The highest sequence number the answerer saw of the requester's device, or 0: a device whose clock was set back
   * learns where to go on, instead of being taken for a replay of itself.
   */
  readonly sequenceSeen: number
  /** The answerer first, then others it heard of lately. Empty when it did not accept the presence. */
  readonly members: readonly MemberEntry[]
}

const ENTRY_KEYS = ['presence', 'addresses'] as const

/** Writes a request. */
export function encodeMembersRequest({ topic, presence, addresses }: MembersRequest): Uint8Array {
  return encodeCanonical({ version: MEMBERS_VERSION, topic, presence, addresses: keepAddresses(addresses) })
}

/**
 * Reads a request; the presence inside is still to be verified.
 *
 * @throws RoomError `ERR_MESSAGE_TOO_LARGE` or `ERR_MESSAGE_MALFORMED`
 */
export function decodeMembersRequest(bytes: Uint8Array): MembersRequest {
  const value = decode(bytes, MEMBERS_REQUEST_BYTES_MAX)
  const map = readMap(value, ['version', 'topic', ...ENTRY_KEYS])
  if (map?.['version'] !== MEMBERS_VERSION) throw malformed()
  const { topic, presence, addresses } = map
  if (typeof topic !== 'string') throw malformed()
  return { topic, ...readEntry({ presence, addresses }) }
}

/** Writes an answer with as many of the members, in their order, as fit. */
export function encodeMembersAnswer({ nowMs, sequenceSeen, members }: MembersAnswer): Uint8Array {
  const kept: MemberEntry[] = []
  let bytesLeft = MEMBERS_ANSWER_BYTES_MAX - 64
  for (const { presence, addresses } of members.slice(0, MEMBERS_PER_ANSWER_MAX)) {
    const entry = { presence, addresses: keepAddresses(addresses) }
    bytesLeft -= encodeCanonical(entry).length
    if (bytesLeft < 0) break
    kept.push(entry)
  }
  return encodeCanonical({ version: MEMBERS_VERSION, nowMs, sequenceSeen, members: kept })
}

/**
 * Reads an answer; the presences inside are still to be verified.
 *
 * @throws RoomError `ERR_MESSAGE_TOO_LARGE` or `ERR_MESSAGE_MALFORMED`
 */
export function decodeMembersAnswer(bytes: Uint8Array): MembersAnswer {
  const value = decode(bytes, MEMBERS_ANSWER_BYTES_MAX)
  const map = readMap(value, ['version', 'nowMs', 'sequenceSeen', 'members'])
  if (map?.['version'] !== MEMBERS_VERSION) throw malformed()
  const { nowMs, sequenceSeen, members } = map
  if (!isCount(nowMs) || !isCount(sequenceSeen)) throw malformed()
  if (!Array.isArray(members) || members.length > MEMBERS_PER_ANSWER_MAX) throw malformed()
  return { nowMs, sequenceSeen, members: members.map(readEntry) }
}

/** The addresses another member may be told or may tell: a few, short, and shaped like multiaddrs. */
export function keepAddresses(addresses: readonly string[]): readonly string[] {
  return addresses.filter(isAddress).slice(0, ADDRESSES_PER_MEMBER_MAX)
}

const ADDRESS = /^\/[\x21-\x7e]+$/

function isAddress(value: unknown): value is string {
  return typeof value === 'string' && value.length <= ADDRESS_CHARS_MAX && ADDRESS.test(value)
}

function readEntry(value: unknown): MemberEntry {
  const map = readMap(value, ENTRY_KEYS)
  if (map === undefined) throw malformed()
  const { presence, addresses } = map
  if (!(presence instanceof Uint8Array) || presence.length > MESSAGE_BYTES_MAX) throw malformed()
  if (!Array.isArray(addresses) || addresses.length > ADDRESSES_PER_MEMBER_MAX) throw malformed()
  if (!addresses.every(isAddress)) throw malformed()
  return { presence, addresses }
}

function decode(bytes: Uint8Array, bytesMax: number): unknown {
  if (bytes.length > bytesMax) {
    throw new RoomError('ERR_MESSAGE_TOO_LARGE', `expected at most ${bytesMax} bytes, got ${bytes.length}`)
  }
  try {
    return decodeCanonical(bytes, { bytesMax, depthMax: 4, itemsMax: 2_048 })
  } catch (cause) {
    throw malformed(cause)
  }
}

function malformed(cause?: unknown): RoomError {
  return new RoomError('ERR_MESSAGE_MALFORMED', 'expected a members exchange of this version', { cause })
}
