import * as z from 'zod'
import { decodeCanonical, encodeCanonical, type Did } from '#did'
import {
  GOAL_BYTES_MAX,
  GROUP_BYTES_MAX,
  HOLDERS_PER_MESSAGE,
  LEASE_BYTES_MAX,
  LEASES_PER_MESSAGE,
  MESSAGE_BYTES_MAX,
  MESSAGE_ITEMS_MAX,
  NONCE_BYTES,
  OFFER_BYTES_MAX,
  OFFER_NAME_BYTES,
  OFFER_NAMES_PER_MESSAGE,
  OFFERS_PER_MESSAGE,
  ROOTS_PER_MESSAGE
} from './constants.ts'
import { ReplicationError } from './errors.ts'
import { bytesOf, did, pool, root } from './records.ts'
import type { PoolId, Root } from './types.ts'

/** A lease in a message; without its roots when the other side knows the set. */
export interface SentLease {
  readonly lease: Uint8Array
  readonly roots?: readonly Root[] | undefined
}

/** What one device asks another. */
export type ReplicaAsk =
  /** Here are offers of a pool; tell me those that `have` does not name. */
  | {
      readonly ask: 'sync'
      readonly pool: PoolId
      readonly have: Uint8Array
      readonly offers: readonly Uint8Array[]
    }
  /** Keep what this goal says; these have it. */
  | { readonly ask: 'keep'; readonly goal: Uint8Array; readonly holders: readonly Did[] }
  /** These are my leases. */
  | { readonly ask: 'lease'; readonly leases: readonly SentLease[] }
  /** Show that you have it. */
  | { readonly ask: 'challenge'; readonly root: Root; readonly nonce: Uint8Array }
  /** Who is in that group? */
  | { readonly ask: 'group'; readonly id: PoolId }

/** What became of the question to keep a root. */
export type KeepState =
  /** It is here, and stays for some minutes whatever happens. */
  | 'held'
  /** It is being fetched, or will be. */
  | 'taken'
  /** There is no space for it, or none left for that publisher. */
  | 'full'
  /** It was never agreed to keep it. */
  | 'refused'
  /** It could not be fetched lately. */
  | 'failed'
  /** Not now. */
  | 'busy'

/** Somebody else who holds a root. */
export interface PeerOfRoot {
  readonly holder: Did
  readonly root: Root
}

/** The answers, by what was asked. */
export interface ReplicaAnswers {
  readonly sync: { readonly offers: readonly Uint8Array[]; readonly want: Uint8Array }
  /** `goal`: a later one of the same person for the same root. */
  readonly keep: { readonly state: KeepState; readonly goal?: Uint8Array | undefined }
  /** `wants`: leases whose roots are not known, by their place; `peers`: others who hold some of these roots. */
  readonly lease: { readonly wants: readonly number[]; readonly peers: readonly PeerOfRoot[] }
  readonly challenge: { readonly answer: Uint8Array | null }
  readonly group: { readonly group: Uint8Array | null }
}

const names = bytesOf(OFFER_NAMES_PER_MESSAGE * OFFER_NAME_BYTES).refine(
  (bytes) => bytes.length % OFFER_NAME_BYTES === 0
)
const offers = z.array(bytesOf(OFFER_BYTES_MAX)).max(OFFERS_PER_MESSAGE)
const holders = z.array(did).max(HOLDERS_PER_MESSAGE)
const roots = z.array(root).max(ROOTS_PER_MESSAGE)
const digest = bytesOf(32).refine((bytes) => bytes.length === 32)

const asks: z.ZodType<ReplicaAsk> = z.discriminatedUnion('ask', [
  z.strictObject({ ask: z.literal('sync'), pool, have: names, offers }),
  z.strictObject({ ask: z.literal('keep'), goal: bytesOf(GOAL_BYTES_MAX), holders }),
  z.strictObject({
    ask: z.literal('lease'),
    leases: z
      .array(z.strictObject({ lease: bytesOf(LEASE_BYTES_MAX), roots: roots.optional() }))
      .max(LEASES_PER_MESSAGE)
      .refine((leases) => leases.reduce((sum, one) => sum + (one.roots?.length ?? 0), 0) <= ROOTS_PER_MESSAGE)
  }),
  z.strictObject({
    ask: z.literal('challenge'),
    root,
    nonce: bytesOf(NONCE_BYTES).refine((bytes) => bytes.length === NONCE_BYTES)
  }),
  z.strictObject({ ask: z.literal('group'), id: pool })
])

const answers: { readonly [K in keyof ReplicaAnswers]: z.ZodType<ReplicaAnswers[K]> } = {
  sync: z.strictObject({ offers, want: names }),
  keep: z.strictObject({
    state: z.enum(['held', 'taken', 'full', 'refused', 'failed', 'busy']),
    goal: bytesOf(GOAL_BYTES_MAX).optional()
  }),
  lease: z.strictObject({
    wants: z
      .array(
        z
          .int()
          .min(0)
          .max(LEASES_PER_MESSAGE - 1)
      )
      .max(LEASES_PER_MESSAGE),
    peers: z.array(z.strictObject({ holder: did, root })).max(HOLDERS_PER_MESSAGE)
  }),
  challenge: z.strictObject({ answer: digest.nullable() }),
  group: z.strictObject({ group: bytesOf(GROUP_BYTES_MAX).nullable() })
}

/** The bytes of a question. */
export function encodeAsk(ask: ReplicaAsk): Uint8Array {
  return encode(ask)
}

/**
 * Reads a question of another device. Bytes in it are views of `bytes`.
 *
 * @throws ReplicationError `ERR_REPLICA_MESSAGE_INVALID`
 */
export function decodeAsk(bytes: Uint8Array): ReplicaAsk {
  return decode(bytes, asks)
}

/** The bytes of an answer. */
export function encodeAnswer(answer: ReplicaAnswers[keyof ReplicaAnswers]): Uint8Array {
  return encode(answer)
}

/**
 * Reads the answer to a question of that kind. Bytes in it are views of `bytes`.
 *
 * @throws ReplicationError `ERR_REPLICA_MESSAGE_INVALID`
 */
export function decodeAnswer<K extends keyof ReplicaAnswers>(kind: K, bytes: Uint8Array): ReplicaAnswers[K] {
  return decode(bytes, answers[kind])
}

function encode(message: object): Uint8Array {
  return encodeCanonical(withoutAbsent(message))
}

function decode<T>(bytes: Uint8Array, schema: z.ZodType<T>): T {
  try {
    const bounds = { bytesMax: MESSAGE_BYTES_MAX, depthMax: 6, itemsMax: MESSAGE_ITEMS_MAX, isViewing: true }
    return schema.parse(decodeCanonical(bytes, bounds))
  } catch (cause) {
    throw new ReplicationError('ERR_REPLICA_MESSAGE_INVALID', 'expected a message of this protocol', {
      cause
    })
  }
}

/** A field that is not there has no form of its own. */
function withoutAbsent(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutAbsent)
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return value
  const present = Object.entries(value).filter(([, field]) => field !== undefined)
  return Object.fromEntries(present.map(([name, field]) => [name, withoutAbsent(field)]))
}
