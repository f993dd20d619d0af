import { multiaddr } from '@multiformats/multiaddr'
import * as z from 'zod'
import { openEnvelope, peerIdFromDid, sealEnvelope, type Did, type Signer } from '#did'
import {
  BOOTSTRAP_DOMAIN,
  BOOTSTRAP_RECORD_TYPE,
  RECORD_ADDRESS_CHARS_MAX,
  RECORD_ADDRESSES_MAX,
  RECORD_BYTES_MAX,
  RECORD_CLOCK_SKEW_MS,
  RECORD_NETWORK_CHARS_MAX,
  RECORD_VALID_FOR_MS_MAX
} from './constants.ts'
import { BootstrapError } from './errors.ts'

const LABELS = { domain: BOOTSTRAP_DOMAIN, type: BOOTSTRAP_RECORD_TYPE } as const

/** What a seed says about itself. */
export interface BootstrapClaim {
  /** Where it listens: 1 to 16 multiaddrs, each ending with `/p2p/` and the seed's own PeerId. */
  readonly addresses: readonly string[]
  /** The DHT protocol of its network, such as `/elastos/kad/1.0.0`. */
  readonly network: string
  /** When it signed, milliseconds since the Unix epoch. */
  readonly issuedAtMs: number
  /** How long the record is good for, milliseconds, at most 7 days. */
  readonly validForMs: number
}

/** A verified bootstrap record. */
export interface BootstrapRecord extends BootstrapClaim {
  /** The seed: who signed. */
  readonly did: Did
}

const claimSchema = z.strictObject({
  addresses: z.array(z.string().max(RECORD_ADDRESS_CHARS_MAX)).min(1).max(RECORD_ADDRESSES_MAX),
  network: z
    .string()
    .max(RECORD_NETWORK_CHARS_MAX)
    .regex(/^[!-~]+$/),
  issuedAtMs: z.int().nonnegative(),
  validForMs: z.int().positive().max(RECORD_VALID_FOR_MS_MAX)
})

/**
 * Signs a bootstrap record.
 *
 * @throws BootstrapError `ERR_RECORD_INVALID` when the claim is not one
 * @see docs/protocols/bootstrap-record.md
 */
export function sealBootstrapRecord(signer: Signer, claim: BootstrapClaim): Uint8Array {
  return sealEnvelope(signer, { ...LABELS, payload: readClaim(claim, signer.did) })
}

/** What {@link openBootstrapRecord} judges a record by. */
export interface RecordContext {
  /** The network this node is of. */
  readonly network: string
  /** The time now, milliseconds since the Unix epoch. */
  readonly nowMs: number
}

/**
 * Verifies a bootstrap record: signature, form, network, time. Whether its signer is the one wanted is the
 * caller's to decide.
 *
 * @throws BootstrapError `ERR_RECORD_INVALID`, `ERR_RECORD_NETWORK`, `ERR_RECORD_EXPIRED` or `ERR_RECORD_EARLY`
 */
export function openBootstrapRecord(bytes: Uint8Array, context: RecordContext): BootstrapRecord {
  const record = readRecord(bytes)
  if (record.network !== context.network) {
    throw new BootstrapError(
      'ERR_RECORD_NETWORK',
      `expected a seed of the network ${context.network}, got one of ${record.network}`
    )
  }
  if (record.issuedAtMs > context.nowMs + RECORD_CLOCK_SKEW_MS) {
    throw new BootstrapError(
      'ERR_RECORD_EARLY',
      `expected a record issued by now, got one issued ${hours(record.issuedAtMs - context.nowMs)} from now: ` +
        'is the clock of this device or of the seed wrong?'
    )
  }
  if (context.nowMs >= record.issuedAtMs + record.validForMs) {
    throw new BootstrapError(
      'ERR_RECORD_EXPIRED',
      `expected a fresh record, got one issued ${hours(context.nowMs - record.issuedAtMs)} ago: ` +
        'is the clock of this device or of the seed wrong?'
    )
  }
  return record
}

function hours(durationMs: number): string {
  return `${(durationMs / 3_600_000).toFixed(1)} hours`
}

function readRecord(bytes: Uint8Array): BootstrapRecord {
  let opened: ReturnType<typeof openEnvelope>
  try {
    opened = openEnvelope(bytes, { ...LABELS, bytesMax: RECORD_BYTES_MAX })
  } catch (cause) {
    throw invalidRecord('an envelope that verifies', cause)
  }
  return { did: opened.signer, ...readClaim(opened.payload, opened.signer) }
}

function readClaim(value: unknown, did: Did): BootstrapClaim {
  const parsed = claimSchema.safeParse(value)
  if (!parsed.success) throw invalidRecord('addresses, network, issuedAtMs and validForMs', parsed.error)
  const end = `/p2p/${peerIdFromDid(did)}`
  if (!parsed.data.addresses.every((address) => address.endsWith(end) && isMultiaddr(address))) {
    throw invalidRecord(`multiaddrs that end with ${end}`)
  }
  return parsed.data
}

/** Whether the text is a multiaddr in its one spelling, and nothing that a terminal would obey. */
function isMultiaddr(text: string): boolean {
  try {
    return /^[!-~]+$/.test(text) && multiaddr(text).toString() === text
  } catch {
    return false
  }
}

function invalidRecord(what: string, cause?: unknown): BootstrapError {
  return new BootstrapError('ERR_RECORD_INVALID', `expected a bootstrap record with ${what}`, { cause })
}
