import { decodeCanonical, encodeCanonical, parseDid, type Did } from '#did'
import { MESSAGE_BYTES_MAX } from '../constants.ts'
import { RoomError } from '../errors.ts'
import { isCount, readMap } from '../wire.ts'
import {
  APPOINTED_MAX,
  FOLLOWED_MAX,
  LIST_BYTES_MAX,
  LISTS_PER_ANSWER_MAX,
  MODERATION_ANSWER_BYTES_MAX,
  MODERATION_REQUEST_BYTES_MAX,
  MODERATION_VERSION
} from './constants.ts'

/** Authors one request may name: those who are followed with those they appointed, as many as are told first. */
const AUTHORS_ASKED_MAX = FOLLOWED_MAX * 4 + APPOINTED_MAX

/** Asks a member for newer lists of these authors. */
export interface ModerationRequest {
  /** The room's own topic. */
  readonly topic: string
  /** The requester's own presence, which shows that it belongs. */
  readonly presence: Uint8Array
  /** Whose lists, newer than which sequence. */
  readonly wanted: ReadonlyMap<Did, number>
}

/** Writes a request. */
export function encodeModerationRequest({ topic, presence, wanted }: ModerationRequest): Uint8Array {
  const told = [...wanted].slice(0, AUTHORS_ASKED_MAX)
  return encodeCanonical({ version: MODERATION_VERSION, topic, presence, wanted: told })
}

/**
 * Reads a request; the presence inside is still to be verified.
 *
 * @throws RoomError `ERR_MESSAGE_TOO_LARGE` or `ERR_MESSAGE_MALFORMED`
 */
export function decodeModerationRequest(bytes: Uint8Array): ModerationRequest {
  const map = readMap(decode(bytes, MODERATION_REQUEST_BYTES_MAX), ['version', 'topic', 'presence', 'wanted'])
  if (map?.['version'] !== MODERATION_VERSION) throw malformed()
  const { topic, presence, wanted } = map
  if (typeof topic !== 'string' || !(presence instanceof Uint8Array)) throw malformed()
  if (presence.length > MESSAGE_BYTES_MAX) throw malformed()
  if (!Array.isArray(wanted) || wanted.length > AUTHORS_ASKED_MAX) throw malformed()
  return { topic, presence, wanted: new Map(wanted.map(readWanted)) }
}

/** Writes an answer: lists exactly as their authors signed them. */
export function encodeModerationAnswer(lists: readonly Uint8Array[]): Uint8Array {
  return encodeCanonical({ version: MODERATION_VERSION, lists: lists.slice(0, LISTS_PER_ANSWER_MAX) })
}

/**
 * Reads an answer; its lists are still to be verified.
 *
 * @throws RoomError `ERR_MESSAGE_TOO_LARGE` or `ERR_MESSAGE_MALFORMED`
 */
export function decodeModerationAnswer(bytes: Uint8Array): readonly Uint8Array[] {
  const map = readMap(decode(bytes, MODERATION_ANSWER_BYTES_MAX), ['version', 'lists'])
  if (map?.['version'] !== MODERATION_VERSION) throw malformed()
  const { lists } = map
  if (!Array.isArray(lists) || lists.length > LISTS_PER_ANSWER_MAX) throw malformed()
  if (!lists.every(isList)) throw malformed()
  return lists
}

function isList(value: unknown): value is Uint8Array {
  return value instanceof Uint8Array && value.length <= LIST_BYTES_MAX
}

function readWanted(value: unknown): readonly [Did, number] {
  if (!Array.isArray(value) || value.length !== 2) throw malformed()
  const [author, sequence] = value as readonly unknown[]
  if (typeof author !== 'string' || !isCount(sequence)) throw malformed()
  try {
    return [parseDid(author), sequence]
  } catch (cause) {
    throw malformed(cause)
  }
}

function decode(bytes: Uint8Array, bytesMax: number): unknown {
  if (bytes.length > bytesMax) {
    throw new RoomError('ERR_MESSAGE_TOO_LARGE', `expected at most ${bytesMax} bytes, got ${bytes.length}`)
  }
  try {
    return decodeCanonical(bytes, { bytesMax, depthMax: 3, itemsMax: 4 * AUTHORS_ASKED_MAX })
  } catch (cause) {
    throw malformed(cause)
  }
}

function malformed(cause?: unknown): RoomError {
  return new RoomError('ERR_MESSAGE_MALFORMED', 'expected a moderation exchange of this version', { cause })
}
