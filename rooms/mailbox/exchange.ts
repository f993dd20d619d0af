import { decodeCanonical, encodeCanonical, parseDid, type Did } from '#did'
import {
  MAILBOX_ADDRESS_BYTES,
  MAILBOX_ITEM_BYTES_MAX,
  MAILBOX_ITEMS_MAX,
  MAILBOX_MESSAGE_BYTES_MAX,
  MAILBOX_VERSION
} from '../constants.ts'
import { RoomError } from '../errors.ts'
import { isCount, readMap } from '../wire.ts'

/**
 * Whose mailbox: one at a 32-byte address, which whoever knows it may fill and read; or that of a device, which anybody may
 * fill and the device alone may read.
 */
export type MailboxOf = { readonly box: Uint8Array } | { readonly device: Did }

/** Asks a peer to keep items, or for what it keeps. */
export type MailboxRequest = MailboxOf &
  (
    | { readonly kind: 'put'; readonly items: readonly Uint8Array[] }
    /** For the items behind this number, which the keeper gave before; 0 for all. */
    | { readonly kind: 'take'; readonly after: number }
  )

/** How many of the items are kept now; those that were kept before count. */
export interface PutAnswer {
  readonly kept: number
}

/** Items in the order they came in. */
export interface TakeAnswer {
  readonly items: readonly Uint8Array[]
  /** The number of the last item; to be asked from there when there is more. */
  readonly last: number
  readonly hasMore: boolean
}

/** Writes a request. */
export function encodeMailboxRequest(request: MailboxRequest): Uint8Array {
  return encodeCanonical({ version: MAILBOX_VERSION, ...request })
}

/** Reads a request. @throws RoomError `ERR_MESSAGE_TOO_LARGE` or `ERR_MESSAGE_MALFORMED` */
export function decodeMailboxRequest(bytes: Uint8Array): MailboxRequest {
  const value = decode(bytes)
  for (const whose of ['box', 'device'] as const) {
    const put = readMap(value, ['version', 'kind', whose, 'items'])
    const take = readMap(value, ['version', 'kind', whose, 'after'])
    const map = put ?? take
    if (map === undefined) continue
    if (map['version'] !== MAILBOX_VERSION) throw malformed()
    const { kind, items, after } = map
    const of = whose === 'box' ? { box: readBox(map['box']) } : { device: readDevice(map['device']) }
    if (put !== undefined && kind === 'put') return { ...of, kind, items: readPut(items) }
    if (take !== undefined && kind === 'take' && isCount(after)) return { ...of, kind, after }
  }
  throw malformed()
}

/** Writes an answer. */
export function encodeMailboxAnswer(answer: PutAnswer | TakeAnswer): Uint8Array {
  return encodeCanonical({ version: MAILBOX_VERSION, ...answer })
}

/** Reads the answer to a `put`. @throws RoomError `ERR_MESSAGE_TOO_LARGE` or `ERR_MESSAGE_MALFORMED` */
export function decodePutAnswer(bytes: Uint8Array): PutAnswer {
  const map = readMap(decode(bytes), ['version', 'kept'])
  if (map?.['version'] !== MAILBOX_VERSION || !isCount(map['kept'])) throw malformed()
  return { kept: map['kept'] }
}

/** Reads the answer to a `take`. @throws RoomError `ERR_MESSAGE_TOO_LARGE` or `ERR_MESSAGE_MALFORMED` */
export function decodeTakeAnswer(bytes: Uint8Array): TakeAnswer {
  const map = readMap(decode(bytes), ['version', 'items', 'last', 'hasMore'])
  if (map?.['version'] !== MAILBOX_VERSION) throw malformed()
  const { items, last, hasMore } = map
  if (!isCount(last) || typeof hasMore !== 'boolean') throw malformed()
  return { items: readItems(items), last, hasMore }
}

function readBox(box: unknown): Uint8Array {
  if (box instanceof Uint8Array && box.length === MAILBOX_ADDRESS_BYTES) return box
  throw malformed()
}

function readDevice(device: unknown): Did {
  try {
    if (typeof device === 'string') return parseDid(device)
  } catch (cause) {
    throw malformed(cause)
  }
  throw malformed()
}

function readPut(value: unknown): readonly Uint8Array[] {
  const items = readItems(value)
  if (items.length === 0) throw malformed()
  return items
}

function readItems(value: unknown): readonly Uint8Array[] {
  if (!Array.isArray(value) || value.length > MAILBOX_ITEMS_MAX) throw malformed()
  const isItem = (item: unknown): item is Uint8Array =>
    item instanceof Uint8Array && item.length > 0 && item.length <= MAILBOX_ITEM_BYTES_MAX
  if (!value.every(isItem)) throw malformed()
  return value
}

function decode(bytes: Uint8Array): unknown {
  const bytesMax = MAILBOX_MESSAGE_BYTES_MAX
  if (bytes.length > bytesMax) {
    throw new RoomError('ERR_MESSAGE_TOO_LARGE', `expected at most ${bytesMax} bytes, got ${bytes.length}`)
  }
  try {
    return decodeCanonical(bytes, { bytesMax, depthMax: 3, itemsMax: MAILBOX_ITEMS_MAX + 8 })
  } catch (cause) {
    throw malformed(cause)
  }
}

function malformed(cause?: unknown): RoomError {
  return new RoomError('ERR_MESSAGE_MALFORMED', 'expected a mailbox exchange of this version', { cause })
}
