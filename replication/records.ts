import { createHash } from 'node:crypto'
import { CID } from 'multiformats/cid'
import * as z from 'zod'
import { createRecent } from '#contracts'
import { openEnvelope, parseDid, personOfDevice, sealEnvelope, type Did, type Signer } from '#did'
import {
  CERTIFICATE_BYTES_MAX,
  COPIES_MAX,
  GOAL_BYTES_MAX,
  GOAL_POOLS_MAX,
  GOAL_READERS_MAX,
  LABEL_CHARS_MAX,
  LEASE_BYTES_MAX,
  OFFER_BYTES_MAX,
  REPLICA_DOMAIN,
  ROOT_CHARS_MAX,
  ROOTS_READ_MAX,
  SPACE_BYTES_MAX
} from './constants.ts'
import { ReplicationError } from './errors.ts'
import { ANYONE, type Goal, type Lease, type Offer, type PoolId, type Root } from './types.ts'

const OFFER = { domain: REPLICA_DOMAIN, type: 'offer/1' } as const
const GOAL = { domain: REPLICA_DOMAIN, type: 'goal/1' } as const
const LEASE = { domain: REPLICA_DOMAIN, type: 'lease/1' } as const

/** A device that signs, and the certificate that says whose it is. */
export interface RecordSigner {
  readonly signer: Signer
  readonly certificate: Uint8Array
}

const GROUP_ID = /^group:[a-z2-7]{52}$/
const SET = /^[A-Za-z0-9_-]{43}$/

/** A time or a number of bytes. */
export const wholeNumber: z.ZodType<number> = z.int().min(0).max(SPACE_BYTES_MAX)
/** A did, checked. */
export const did: z.ZodType<Did> = z
  .string()
  .max(128)
  .transform((text) => parseDid(text))
/** A root in the one form it is written in: version 1, base32. */
export const root: z.ZodType<Root> = z.string().max(ROOT_CHARS_MAX).refine(isRoot)
/** Bytes, at most `bytesMax`. */
export function bytesOf(bytesMax: number): z.ZodType<Uint8Array> {
  return z.custom<Uint8Array>((value) => value instanceof Uint8Array && value.length <= bytesMax)
}
/** A printable label without spaces around; `''` says nothing. */
const label = z.string().max(LABEL_CHARS_MAX).refine(isLabel)
/** The certificate in a record. */
export const certificate: z.ZodType<Uint8Array> = bytesOf(CERTIFICATE_BYTES_MAX)
/** A pool. */
export const pool: z.ZodType<PoolId> = z.string().max(128).refine(isPool)

const times = { issuedAtMs: wholeNumber, expiresAtMs: wholeNumber }
const offerPayload = z.strictObject({
  certificate,
  pool,
  spaceBytes: wholeNumber,
  freeBytes: wholeNumber,
  host: label,
  network: label,
  ...times
})
const goalPayload = z
  .strictObject({
    certificate,
    root,
    pools: z.array(pool).max(GOAL_POOLS_MAX),
    copies: z.int().min(0).max(COPIES_MAX),
    bytes: wholeNumber,
    isPublic: z.boolean(),
    readers: z.array(did).max(GOAL_READERS_MAX),
    issuedAtMs: wholeNumber
  })
  // whoever volunteers would be given the bytes: that makes them public
  .refine(({ isPublic, pools }) => isPublic || !pools.includes(ANYONE))
const leasePayload = z
  .strictObject({ set: z.string().regex(SET), demand: wholeNumber, ...times })
  .refine(({ issuedAtMs, expiresAtMs }) => expiresAtMs >= issuedAtMs)

/** Signs what a device offers to a pool. */
export function signOffer(by: RecordSigner, offer: Omit<Offer, 'holder' | 'person'>): Uint8Array {
  return seal(OFFER, by.signer, offerPayload, { certificate: by.certificate, ...offer })
}

/**
 * Verifies an offer; whether its time is now is the caller's to check.
 *
 * @throws ReplicationError `ERR_REPLICA_RECORD_INVALID`
 */
export function openOffer(bytes: Uint8Array): Offer {
  const { signer, payload } = open(bytes, { ...OFFER, bytesMax: OFFER_BYTES_MAX }, offerPayload)
  const { certificate: proof, ...offer } = payload
  return { holder: signer, person: personOf(proof, signer), ...offer }
}

/** Signs what a publisher wants kept. */
export function signGoal(by: RecordSigner, goal: Omit<Goal, 'owner' | 'person'>): Uint8Array {
  const { pools, readers, ...rest } = goal
  return seal(GOAL, by.signer, goalPayload, {
    certificate: by.certificate,
    ...rest,
    pools: [...pools],
    readers: [...readers]
  })
}

/**
 * Verifies a goal.
 *
 * @throws ReplicationError `ERR_REPLICA_RECORD_INVALID`
 */
export function openGoal(bytes: Uint8Array): Goal {
  const { signer, payload } = open(bytes, { ...GOAL, bytesMax: GOAL_BYTES_MAX }, goalPayload)
  const { certificate: proof, ...goal } = payload
  return { owner: signer, person: personOf(proof, signer), ...goal }
}

/** Signs that this device holds the roots of a set for a while. */
export function signLease(signer: Signer, lease: Omit<Lease, 'holder'>): Uint8Array {
  return seal(LEASE, signer, leasePayload, { ...lease })
}

/**
 * Verifies a lease; whether its time is now is the caller's to check.
 *
 * @throws ReplicationError `ERR_REPLICA_RECORD_INVALID`
 */
export function openLease(bytes: Uint8Array): Lease {
  const { signer, payload } = open(bytes, { ...LEASE, bytesMax: LEASE_BYTES_MAX }, leasePayload)
  return { holder: signer, ...payload }
}

/** Whether a text is the id of a group. */
export function isGroupId(text: string): boolean {
  return GROUP_ID.test(text)
}

/** The name of a set of roots, whatever order they come in. */
export function setOf(roots: readonly Root[]): string {
  const sorted = [...roots].sort()
  return createHash('sha256').update(sorted.join('\n')).digest('base64url')
}

const rootsRead = createRecent<true>(ROOTS_READ_MAX)

/** Whether a text is a root as roots are written here. Those that were are remembered: leases name the same ones again and again. */
export function isRoot(text: string): boolean {
  if (rootsRead.get(text) === true) return true
  try {
    const cid = CID.parse(text)
    const isOne = cid.version === 1 && cid.toString() === text
    if (isOne && text.length <= ROOT_CHARS_MAX) rootsRead.set(text, true)
    return isOne
  } catch {
    return false
  }
}

/**
 * Seals a payload that its own schema accepts.
 *
 * @throws ReplicationError `ERR_REPLICA_RECORD_INVALID`
 */
export function seal<T>(
  labels: { readonly domain: string; readonly type: string },
  signer: Signer,
  ...[schema, payload]: [schema: z.ZodType<T>, payload: unknown]
): Uint8Array {
  const parsed = schema.safeParse(payload)
  if (!parsed.success) throw invalid(labels.type, parsed.error)
  return sealEnvelope(signer, { ...labels, payload: parsed.data })
}

/**
 * Opens an envelope whose payload a schema accepts.
 *
 * @throws ReplicationError `ERR_REPLICA_RECORD_INVALID`
 */
export function open<T>(
  bytes: Uint8Array,
  expected: { readonly domain: string; readonly type: string; readonly bytesMax: number },
  schema: z.ZodType<T>
): { readonly signer: Did; readonly payload: T } {
  try {
    const { signer, payload } = openEnvelope(bytes, expected)
    return { signer, payload: schema.parse(payload) }
  } catch (cause) {
    throw invalid(expected.type, cause)
  }
}

/**
 * Whose device signed, by the certificate in its record.
 *
 * @throws ReplicationError `ERR_REPLICA_RECORD_INVALID`
 */
export function personOf(proof: Uint8Array, device: Did): Did {
  try {
    return personOfDevice(proof, device)
  } catch (cause) {
    throw invalid('a certificate of the device that signed', cause)
  }
}

function invalid(what: string, cause?: unknown): ReplicationError {
  return new ReplicationError('ERR_REPLICA_RECORD_INVALID', `expected a valid record (${what})`, { cause })
}

function isPool(text: string): boolean {
  return text === ANYONE || isGroupId(text) || isDid(text)
}

function isDid(text: string): boolean {
  try {
    return parseDid(text) === text
  } catch {
    return false
  }
}

function isLabel(text: string): boolean {
  return /^[\x20-\x7e]*$/.test(text) && text.trim() === text
}
