import { base32 } from 'multiformats/bases/base32'
import { CID } from 'multiformats/cid'
import * as raw from 'multiformats/codecs/raw'
import { sha256 } from 'multiformats/hashes/sha2'
import { encodeCanonical } from '#did'
import { DAY_MS, ROOM_PROTOCOL, TOMORROW_LEAD_MS, TOPIC_PREFIX } from './constants.ts'
import { parseRoomName } from './text.ts'

/** The UTC days, counted from 1970-01-01, whose rendezvous a member uses at one moment. */
export interface RendezvousDays {
  /** Days under which it announces itself. */
  readonly provide: readonly number[]
  /** Days in which it looks for others, today first. */
  readonly find: readonly number[]
}

/**
 * Where a member announces itself and looks at `nowMs`: it announces itself under today, and looks in today and
 * yesterday, so that of two members whose clocks are up to a day apart the one ahead finds the other. In the last ten
 * minutes of a day it does both for tomorrow too, so that midnight leaves no gap.
 */
export function rendezvousDays(nowMs: number): RendezvousDays {
  const today = Math.floor(nowMs / DAY_MS)
  const isLate = Math.floor((nowMs + TOMORROW_LEAD_MS) / DAY_MS) > today
  return isLate
    ? { provide: [today, today + 1], find: [today, today - 1, today + 1] }
    : { provide: [today], find: [today, today - 1] }
}

/** Milliseconds from `nowMs` until {@link rendezvousDays} gives another answer. */
export function nextDaysChangeMs(nowMs: number): number {
  const intoDayMs = ((nowMs % DAY_MS) + DAY_MS) % DAY_MS
  const leadAtMs = DAY_MS - TOMORROW_LEAD_MS
  return intoDayMs < leadAtMs ? leadAtMs - intoDayMs : DAY_MS - intoDayMs
}

/**
 * The CID under which members of `room` announce themselves on UTC day `day`: CIDv1, raw, SHA-256 over the canonical
 * DAG-CBOR array `[protocol version, name, day]`. No block with that CID exists.
 *
 * @throws RoomError `ERR_ROOM_NAME_INVALID`
 * @see docs/protocols/room.md
 */
export async function rendezvousCid(room: string, day: number): Promise<CID> {
  const digest = await sha256.digest(encodeCanonical([ROOM_PROTOCOL, parseRoomName(room), day]))
  return CID.createV1(raw.code, digest)
}

/**
 * The pubsub topic of `room`. It holds a hash, so that peers who forward it learn no name that they could not guess.
 *
 * @throws RoomError `ERR_ROOM_NAME_INVALID`
 */
export async function roomTopic(room: string): Promise<string> {
  const digest = await sha256.digest(encodeCanonical([ROOM_PROTOCOL, parseRoomName(room)]))
  return TOPIC_PREFIX + base32.encode(digest.digest).slice(1)
}
