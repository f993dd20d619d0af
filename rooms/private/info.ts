import { decodeCanonical, encodeCanonical, parseDid, type Did } from '#did'
import { RoomError } from '../errors.ts'
import { parseRoomName } from '../text.ts'
import { isCount, readMap } from '../wire.ts'

const INFO_BYTES_MAX = 1_024

/** What a conversation is; settled when it is founded, and part of the keys of every epoch. */
export interface ConversationInfo {
  /** Between two persons, or a room of those who were invited. */
  readonly kind: 'direct' | 'room'
  /** The name of a room; empty for a direct conversation. */
  readonly name: string
  /** The two persons of a direct conversation, in order; nobody else is ever taken in. Empty for a room. */
  readonly persons: readonly Did[]
  readonly foundedBy: Did
  readonly foundedAtMs: number
}

/** The bytes of what a conversation is. */
export function encodeInfo(info: ConversationInfo): Uint8Array {
  return encodeCanonical({ version: 1, ...info, persons: [...info.persons] })
}

/** Reads what a conversation is. @throws RoomError `ERR_PRIVATE_MALFORMED` */
export function decodeInfo(bytes: Uint8Array): ConversationInfo {
  try {
    const value = decodeCanonical(bytes, { bytesMax: INFO_BYTES_MAX })
    const info = readInfo(readMap(value, ['version', 'kind', 'name', 'persons', 'foundedBy', 'foundedAtMs']))
    if (info !== undefined) return info
  } catch (cause) {
    throw new RoomError('ERR_PRIVATE_MALFORMED', 'expected what a conversation is', { cause })
  }
  throw new RoomError('ERR_PRIVATE_MALFORMED', 'expected what a conversation is')
}

/** Whether devices of a person may be in: in a room everybody's, in a direct conversation those of the two. */
export function mayBeIn(info: ConversationInfo, person: Did): boolean {
  return info.kind === 'room' || info.persons.includes(person)
}

function readInfo(map: Readonly<Record<string, unknown>> | undefined): ConversationInfo | undefined {
  const { version, kind, name, persons, foundedBy, foundedAtMs } = map ?? {}
  if (version !== 1 || typeof name !== 'string' || !Array.isArray(persons)) return undefined
  if (typeof foundedBy !== 'string' || !isCount(foundedAtMs)) return undefined
  const dids = (persons as unknown[]).map((did) => parseDid(String(did)))
  const says = { persons: dids, foundedBy: parseDid(foundedBy), foundedAtMs }
  if (kind === 'room' && dids.length === 0 && parseRoomName(name) === name) return { kind, name, ...says }
  const [one, two, ...more] = dids
  const isPair = one !== undefined && two !== undefined && one < two && more.length === 0
  return kind === 'direct' && name === '' && isPair ? { kind, name, ...says } : undefined
}
