import { decodeCanonical, encodeCanonical, type Did } from '#did'
import {
  DEVICES_ASKED_MAX,
  HISTORY_ANSWER_BYTES_MAX,
  HISTORY_REQUEST_BYTES_MAX,
  HISTORY_VERSION,
  HOLES_MAX,
  MESSAGE_BYTES_MAX,
  TEXTS_PER_ANSWER_MAX
} from './constants.ts'
import { RoomError } from './errors.ts'
import { readHoles } from './history.ts'
import type { DeviceMark } from './order.ts'
import { isCount, readMap } from './wire.ts'

/** Asks a member for what was said while the requester was away. */
export interface HistoryRequest {
  readonly topic: string
  /** The requester's own presence, which shows that it belongs. */
  readonly presence: Uint8Array
  /** How far the requester has what each device said; of a device that is absent it has nothing. */
  readonly marks: ReadonlyMap<Did, DeviceMark>
}

/** What a member answers. */
export interface HistoryAnswer {
  /** Messages of kind `text`, exactly as their authors signed them, in the order the answerer delivered them in. */
  readonly messages: readonly Uint8Array[]
  /** Whether there is more than fitted: the requester asks again with what it has then. */
  readonly hasMore: boolean
}

/** Writes a request; of too many devices those that spoke last are told. */
export function encodeHistoryRequest({ topic, presence, marks }: HistoryRequest): Uint8Array {
  const latest = [...marks].sort(([, one], [, other]) => other.high - one.high).slice(0, DEVICES_ASKED_MAX)
  const told = latest.map(([device, { high, holes }]) => [device, high, holes])
  return encodeCanonical({ version: HISTORY_VERSION, topic, presence, marks: told })
}

/**
 * Reads a request; the presence inside is still to be verified.
 *
 * @throws RoomError `ERR_MESSAGE_TOO_LARGE` or `ERR_MESSAGE_MALFORMED`
 */
export function decodeHistoryRequest(bytes: Uint8Array): HistoryRequest {
  const map = readMap(decode(bytes, HISTORY_REQUEST_BYTES_MAX), ['version', 'topic', 'presence', 'marks'])
  if (map?.['version'] !== HISTORY_VERSION) throw malformed()
  const { topic, presence, marks } = map
  if (typeof topic !== 'string' || !(presence instanceof Uint8Array)) throw malformed()
  if (presence.length > MESSAGE_BYTES_MAX) throw malformed()
  if (!Array.isArray(marks) || marks.length > DEVICES_ASKED_MAX) throw malformed()
  return { topic, presence, marks: new Map(marks.map(readTold)) }
}

/** Writes an answer. */
export function encodeHistoryAnswer({ messages, hasMore }: HistoryAnswer): Uint8Array {
  return encodeCanonical({ version: HISTORY_VERSION, messages, hasMore })
}

/**
 * Reads an answer; the messages inside are still to be verified.
 *
 * @throws RoomError `ERR_MESSAGE_TOO_LARGE` or `ERR_MESSAGE_MALFORMED`
 */
export function decodeHistoryAnswer(bytes: Uint8Array): HistoryAnswer {
  const map = readMap(decode(bytes, HISTORY_ANSWER_BYTES_MAX), ['version', 'messages', 'hasMore'])
  if (map?.['version'] !== HISTORY_VERSION) throw malformed()
  const { messages, hasMore } = map
  if (!Array.isArray(messages) || messages.length > TEXTS_PER_ANSWER_MAX) throw malformed()
  const isMessage = (value: unknown): value is Uint8Array =>
    value instanceof Uint8Array && value.length <= MESSAGE_BYTES_MAX
  if (!messages.every(isMessage) || typeof hasMore !== 'boolean') throw malformed()
  return { messages, hasMore }
}

function readTold(value: unknown): [Did, DeviceMark] {
  if (!Array.isArray(value) || value.length !== 3) throw malformed()
  const [device, high, holes] = value as readonly unknown[]
  const known = readHoles(holes)
  if (typeof device !== 'string' || !device.startsWith('did:key:z')) throw malformed()
  if (!isCount(high) || known === undefined) throw malformed()
  return [device as Did, { high, holes: known }]
}

function decode(bytes: Uint8Array, bytesMax: number): unknown {
  if (bytes.length > bytesMax) {
    throw new RoomError('ERR_MESSAGE_TOO_LARGE', `expected at most ${bytesMax} bytes, got ${bytes.length}`)
  }
  try {
    const itemsMax = DEVICES_ASKED_MAX * (4 + 3 * HOLES_MAX) + TEXTS_PER_ANSWER_MAX + 16
    return decodeCanonical(bytes, { bytesMax, depthMax: 6, itemsMax })
  } catch (cause) {
    throw malformed(cause)
  }
}

function malformed(cause?: unknown): RoomError {
  return new RoomError('ERR_MESSAGE_MALFORMED', 'expected a history exchange of this version', { cause })
}
