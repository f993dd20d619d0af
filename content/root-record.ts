import { CID } from 'multiformats/cid'
import * as z from 'zod'
import { errorMessage } from '#contracts'
import { decodeCanonical, encodeCanonical, parseDid } from '#did'
import { PIN_NAME_CHARS_MAX, PIN_READERS_MAX, PIN_RECORD_BYTES_MAX } from './constants.ts'
import { ContentError } from './errors.ts'
import type { Did } from '#did'

/** Who may be served what lies under a root. */
export interface Visibility {
  /** Anyone who asks for a CID. */
  readonly isPublic: boolean
  /** Peers, by the did of their device, that may ask even though it is not public. */
  readonly readers: readonly Did[]
}

/** The name of pins that are kept on behalf of others; who pins or adds the same content makes it theirs. */
export const KEPT_FOR_OTHERS = 'kept for others'

/** A root that is kept: a pin. */
export interface Root extends Visibility {
  /** Always version 1 text, whatever version the user wrote. */
  readonly cid: CID
  /** `dag`: everything its blocks link to; `block`: this block alone, whatever it links to. */
  readonly kind: 'dag' | 'block'
  readonly name: string | undefined
  readonly createdAtMs: number
  /** Bytes of its files where that was counted. */
  readonly bytes: number | undefined
}

const count = z.number().int().nonnegative().max(Number.MAX_SAFE_INTEGER)
const did = z.string().transform((text) => parseDid(text))
const RECORD = z.strictObject({
  version: z.literal(1),
  cid: z.custom<CID>((value) => CID.asCID(value) !== null),
  kind: z.enum(['dag', 'block']),
  isPublic: z.boolean(),
  readers: z.array(did).max(PIN_READERS_MAX),
  name: z.string().max(PIN_NAME_CHARS_MAX).nullable(),
  createdAtMs: count,
  bytes: count.nullable()
})

/**
 * The bytes of a root's record.
 *
 * @throws ContentError `ERR_PIN_LIMIT` when the name or the list of readers is too long
 */
export function encodeRoot(root: Root): Uint8Array {
  if (root.readers.length > PIN_READERS_MAX || (root.name?.length ?? 0) > PIN_NAME_CHARS_MAX) {
    throw new ContentError(
      'ERR_PIN_LIMIT',
      `expected at most ${PIN_READERS_MAX} readers and a name of ${PIN_NAME_CHARS_MAX} characters`
    )
  }
  const { cid, kind, isPublic, readers, name, createdAtMs, bytes } = root
  return encodeCanonical({
    version: 1,
    cid,
    kind,
    isPublic,
    readers: [...readers],
    name: name ?? null,
    createdAtMs,
    bytes: bytes ?? null
  })
}

/**
 * Reads a root's record.
 *
 * @throws ContentError `ERR_STORE_IO` when it is none
 */
export function decodeRoot(record: Uint8Array): Root {
  try {
    const bounds = { bytesMax: PIN_RECORD_BYTES_MAX, itemsMax: PIN_READERS_MAX + 32 }
    const parsed = RECORD.parse(decodeCanonical(record, bounds))
    const { cid, kind, isPublic, readers, name, createdAtMs, bytes } = parsed
    return { cid, kind, isPublic, readers, name: name ?? undefined, createdAtMs, bytes: bytes ?? undefined }
  } catch (cause) {
    throw new ContentError('ERR_STORE_IO', `expected a pin record: ${errorMessage(cause)}`, { cause })
  }
}
