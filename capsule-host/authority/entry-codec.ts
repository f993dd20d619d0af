import { createHash } from 'node:crypto'
import * as z from 'zod'
import { RESOURCE_BYTES_MAX, TOKEN_BYTES_MAX, TOKEN_COUNTER_MAX, type CeilingEntry } from '#capability'
import { decodeCanonical, encodeCanonical, parseDid } from '#did'
import type { AuditEntry } from './audit-types.ts'
import type { RefusalCode } from './authority.ts'
import {
  CEILING_ENTRIES_MAX,
  ENTRY_BYTES_MAX,
  LINEAGE_CHARS_MAX,
  REASON_CHARS_MAX,
  REFUSED_NAME_CHARS_MAX,
  SESSION_ID_CHARS_MAX
} from './constants.ts'

/** The hash that stands before the first entry, and before anything was revoked. */
export const NO_HASH: string = '0'.repeat(64)

const HASH_BYTES = 32
const CHAIN_TOKENS_MAX = 16

const count = z.int().min(0)
const hash = z
  .instanceof(Uint8Array)
  .refine((bytes) => bytes.length === HASH_BYTES)
  .transform((bytes) => Buffer.from(bytes).toString('hex'))
const did = z
  .string()
  .max(128)
  .transform((text) => parseDid(text))
const lineage = z.string().min(1).max(LINEAGE_CHARS_MAX)
const sessionId = z.string().max(SESSION_ID_CHARS_MAX)
const cid = z.string().max(128)
const command = z.string().max(REFUSED_NAME_CHARS_MAX)
const resource = z.string().max(Math.max(REFUSED_NAME_CHARS_MAX, RESOURCE_BYTES_MAX))
const decidedBy = z.enum(['person', 'auto', 'policy'])
const code = z
  .string()
  .regex(/^ERR_[A-Z_]{1,60}$/)
  .transform((text) => text as RefusalCode)

const head = { number: count, previous: hash, timeMs: count, epoch: count.max(TOKEN_COUNTER_MAX) }

const entrySchema: z.ZodType<AuditEntry> = z.discriminatedUnion('kind', [
  z.strictObject({
    ...head,
    kind: z.literal('begin'),
    device: did,
    after: z.string().max(REASON_CHARS_MAX).exactOptional()
  }),
  z.strictObject({ ...head, kind: z.literal('open') }),
  z.strictObject({
    ...head,
    kind: z.literal('ceiling'),
    lineage,
    ceiling: z.array(z.strictObject({ command, resource })).max(CEILING_ENTRIES_MAX)
  }),
  z.strictObject({
    ...head,
    kind: z.literal('grant'),
    ...{ lineage, cid, decidedBy },
    token: z.instanceof(Uint8Array).refine((bytes) => bytes.length <= TOKEN_BYTES_MAX),
    scope: z.enum(['once', 'session', 'day', 'always']),
    sessionId: sessionId.exactOptional(),
    reason: z.string().max(REASON_CHARS_MAX).exactOptional(),
    delegatedBy: lineage.exactOptional()
  }),
  z.strictObject({
    ...head,
    kind: z.literal('denial'),
    ...{ lineage, command, resource, decidedBy, sessionId: sessionId.exactOptional() }
  }),
  z.strictObject({
    ...head,
    kind: z.literal('forget'),
    lineage,
    command: command.exactOptional(),
    resource: resource.exactOptional()
  }),
  z.strictObject({
    ...head,
    kind: z.literal('revoke'),
    cid: cid.exactOptional(),
    lineage: lineage.exactOptional()
  }),
  z.strictObject({ ...head, kind: z.literal('revoke-all') }),
  z.strictObject({ ...head, kind: z.literal('session-end'), sessionId }),
  z.strictObject({
    ...head,
    kind: z.literal('verdict'),
    ...{ lineage, sessionId, subject: did, command, resource },
    provider: z.string().max(REASON_CHARS_MAX).exactOptional(),
    ...{ ceiling: hash, revocations: hash },
    tokens: z.array(cid).max(CHAIN_TOKENS_MAX),
    counts: z.array(z.strictObject({ cid, used: count })).max(CHAIN_TOKENS_MAX),
    isAllowed: z.boolean(),
    code: code.exactOptional(),
    decidedBy: decidedBy.exactOptional()
  }),
  z.strictObject({
    ...head,
    kind: z.literal('summary'),
    ...{ lineage, sessionId, sinceMs: count, allowed: count, refused: count }
  }),
  z.strictObject({ ...head, kind: z.literal('snapshot'), state: hash })
])

/** The fields that are hashes: text here, bytes in the log. */
const HASHES: ReadonlySet<string> = new Set(['previous', 'revocations', 'state'])

/** The one encoding of an entry. */
export function encodeEntry(entry: AuditEntry): Uint8Array {
  const fields = Object.entries(entry).map(([name, value]: [string, unknown]) => {
    const isHash = HASHES.has(name) || (name === 'ceiling' && typeof value === 'string')
    return [name, isHash && typeof value === 'string' ? Buffer.from(value, 'hex') : value]
  })
  return encodeCanonical(Object.fromEntries(fields))
}

/**
 * Reads an entry.
 *
 * @throws DidError for bytes that are not canonical, ZodError for another form
 */
export function decodeEntry(bytes: Uint8Array): AuditEntry {
  return entrySchema.parse(decodeCanonical(bytes, { bytesMax: ENTRY_BYTES_MAX, depthMax: 4 }))
}

/** SHA-256 in hexadecimal. */
export function hashOf(...parts: readonly (Uint8Array | string)[]): string {
  const digest = createHash('sha256')
  for (const part of parts) digest.update(part)
  return digest.digest('hex')
}

const ceilingHashes = new WeakMap<readonly CeilingEntry[], string>()

/** The hash that a verdict names a ceiling by. */
export function ceilingHash(ceiling: readonly CeilingEntry[]): string {
  const known = ceilingHashes.get(ceiling)
  if (known !== undefined) return known
  const fresh = hashOf(encodeCanonical(ceiling.map((entry) => [entry.command, entry.resource])))
  ceilingHashes.set(ceiling, fresh)
  return fresh
}
