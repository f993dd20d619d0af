import { decodeCanonical, encodeCanonical, parseDid, type Did } from '#did'
import { RoomError } from '../errors.ts'
import { parseText } from '../text.ts'
import { isCount, readMap } from '../wire.ts'
import { DEVICES_MAX, FRAME_BYTES_MAX } from './constants.ts'

/** What members say to each other under encryption. */
export type Payload =
  | { readonly kind: 'text'; readonly text: string; readonly sentAtMs: number }
  /** Asks whoever has the turn to take devices in, by prekeys, and out. */
  | { readonly kind: 'ask'; readonly add: readonly Uint8Array[]; readonly remove: readonly Did[] }

/** The bytes of a payload. */
export function encodePayload(payload: Payload): Uint8Array {
  return encodeCanonical(
    payload.kind === 'ask'
      ? { kind: 'ask', add: [...payload.add], remove: [...payload.remove] }
      : { ...payload }
  )
}

/** Reads a payload. @throws RoomError `ERR_PRIVATE_MALFORMED` */
export function decodePayload(bytes: Uint8Array): Payload {
  try {
    const payload = readPayload(decodeCanonical(bytes, { bytesMax: FRAME_BYTES_MAX }))
    if (payload !== undefined) return payload
  } catch (cause) {
    throw new RoomError('ERR_PRIVATE_MALFORMED', 'expected a text or a wish', { cause })
  }
  throw new RoomError('ERR_PRIVATE_MALFORMED', 'expected a text or a wish')
}

function readPayload(value: unknown): Payload | undefined {
  const map = readMap(value, ['kind'], ['text', 'sentAtMs', 'add', 'remove'])
  const { kind, text, sentAtMs, add, remove } = map ?? {}
  if (kind === 'text') {
    const isPlain = add === undefined && remove === undefined && typeof text === 'string'
    return isPlain && isCount(sentAtMs) ? { kind, text: parseText(text), sentAtMs } : undefined
  }
  if (kind !== 'ask' || text !== undefined || sentAtMs !== undefined) return undefined
  if (!Array.isArray(add) || !Array.isArray(remove) || add.length + remove.length > DEVICES_MAX)
    return undefined
  const prekeys = add.filter((one): one is Uint8Array => one instanceof Uint8Array)
  if (prekeys.length < add.length) return undefined
  return { kind, add: prekeys, remove: remove.map((did) => parseDid(String(did))) }
}
