import * as z from 'zod'
import { decodeToken } from '#capability'
import { decodeCanonical, encodeCanonical, parseDid } from '#did'
import { CapsuleError } from '../errors.ts'
import type { Denial } from './authority.ts'
import { AUTHORITY_STORE_VERSION, SNAPSHOT_BYTES_MAX } from './constants.ts'
import { ceilingHash } from './entry-codec.ts'
import {
  createState,
  holdGrant,
  lineageOf,
  type AuthorityState,
  type HeldGrant,
  type LineageState
} from './state.ts'

const decidedBy = z.enum(['person', 'auto', 'policy'])
const text = z.string().nullable()

/** `[lineage, ceiling, denials]`: a chunk of its own, so that no bound on items of CBOR meets all of them. */
const lineageSchema = z.tuple([
  z.string(),
  z.array(z.tuple([z.string(), z.string()])).nullable(),
  z.array(z.tuple([z.string(), z.string(), decidedBy, z.int()]))
])

/** A token with what became of it. */
const grantSchema = z.tuple([
  z.string(),
  z.instanceof(Uint8Array),
  z.enum(['once', 'session', 'day', 'always']),
  decidedBy,
  z.tuple([text, text, text]),
  z.tuple([z.int(), z.int(), z.int()]),
  z.tuple([z.string().regex(/^ERR_TOKEN_[A-Z_]+$/), z.int()]).nullable()
])

const snapshotSchema = z.tuple([
  z.literal(AUTHORITY_STORE_VERSION),
  z.string(),
  z.int(),
  z.string().regex(/^[0-9a-f]{64}$/),
  z.array(z.instanceof(Uint8Array)),
  z.array(z.instanceof(Uint8Array))
])

/** The state as bytes; the same state has the same bytes. */
export function encodeState(state: AuthorityState): Uint8Array {
  const lineages = [...state.lineages].map((entry) => encodeCanonical(lineageRow(...entry)))
  const grants = [...state.grants.values()].map((grant) => encodeCanonical(grantRow(grant)))
  const { device, epoch, revocations } = state
  return encodeCanonical([AUTHORITY_STORE_VERSION, device, epoch, revocations, lineages, grants])
}

/**
 * Reads a state.
 *
 * @throws DidError, CapabilityError, ZodError or CapsuleError `ERR_AUDIT_TAMPERED` for bytes that are not the encoding of one
 */
export function decodeState(bytes: Uint8Array): AuthorityState {
  const parsed = snapshotSchema.parse(decodeCanonical(bytes, { bytesMax: SNAPSHOT_BYTES_MAX, depthMax: 2 }))
  const [, device, epoch, revocations, lineages, grants] = parsed
  const state = { ...createState(parseDid(device)), epoch, revocations }
  for (const chunk of lineages) {
    const [lineage, ceiling, denials] = lineageSchema.parse(
      decodeCanonical(chunk, { bytesMax: SNAPSHOT_BYTES_MAX })
    )
    const known = lineageOf(state, lineage)
    known.denials = denials.map((denial) => denialOf(lineage, denial))
    if (ceiling !== null) {
      const entries = ceiling.map(([command, resource]) => ({ command, resource }))
      known.ceiling = { hash: ceilingHash(entries), entries }
    }
  }
  for (const chunk of grants) {
    holdGrant(state, grantOf(grantSchema.parse(decodeCanonical(chunk, { bytesMax: SNAPSHOT_BYTES_MAX }))))
  }
  if (Buffer.compare(encodeState(state), bytes) !== 0) {
    throw new CapsuleError('ERR_AUDIT_TAMPERED', 'expected the one encoding of a state')
  }
  return state
}

function lineageRow(lineage: string, { ceiling, denials }: LineageState): z.input<typeof lineageSchema> {
  return [
    lineage,
    ceiling?.entries.map(({ command, resource }) => [command, resource]) ?? null,
    denials.map((denial) => [denial.command, denial.resource, denial.decidedBy, denial.atMs])
  ]
}

function denialOf(
  lineage: string,
  [command, resource, decider, atMs]: z.output<typeof lineageSchema>[2][number]
): Denial {
  return { lineage, command, resource, decidedBy: decider, atMs }
}

function grantRow(grant: HeldGrant): z.input<typeof grantSchema> {
  const { token, lineage, scope, sessionId, reason, delegatedBy, ended } = grant
  return [
    lineage,
    Uint8Array.from(token.bytes),
    scope,
    grant.decidedBy,
    [sessionId ?? null, reason ?? null, delegatedBy ?? null],
    [grant.grantedAtMs, grant.entry, grant.used],
    ended === undefined ? null : [ended.code, ended.atMs]
  ]
}

function grantOf(row: z.output<typeof grantSchema>): HeldGrant {
  const [lineage, bytes, scope, decider, [sessionId, reason, delegatedBy], numbers, ended] = row
  const [grantedAtMs, entry, used] = numbers
  return {
    ...{ token: decodeToken(bytes), lineage, scope, decidedBy: decider, grantedAtMs, entry, used },
    ...(sessionId === null ? {} : { sessionId }),
    ...(reason === null ? {} : { reason }),
    ...(delegatedBy === null ? {} : { delegatedBy }),
    ...(ended === null
      ? {}
      : { ended: { code: ended[0] as NonNullable<HeldGrant['ended']>['code'], atMs: ended[1] } })
  }
}
