import { hash } from 'node:crypto'
import { privateKeyFromRaw } from '@libp2p/crypto/keys'
import { createIPNSRecordWithExpiration, marshalIPNSRecord, unmarshalIPNSRecord, type IPNSRecord } from 'ipns'
import { base36 } from 'multiformats/bases/base36'
import { CID } from 'multiformats/cid'
import { createRecent } from '#contracts'
import {
  decodeCanonical,
  didFromIpnsName,
  encodeCanonical,
  ipnsNameFromDid,
  parseDid,
  publicKeyFromDid,
  verifySignatureOnce
} from '#did'
import type { Did, KeyPair } from '#did'
import { RECORD_BYTES_MAX } from './constants.ts'
import { DhtError } from './errors.ts'
import { NAME_TTL_MS, NAMES_OPENED_MAX } from './name-constants.ts'

/** A verified IPNS record: what a name points to, and how new that is. */
export interface NameRecord {
  /** Whose name it is; the record is signed by that key. */
  readonly did: Did
  /** What the name points to. */
  readonly value: CID
  /** Grows with every change of the value; unsigned 64 bits. */
  readonly sequence: bigint
  /** The record counts until then, milliseconds since the epoch. */
  readonly validUntilMs: number
  /** When it was signed, by its publisher's clock; `undefined` when it does not say, as those of others. */
  readonly signedAtMs: number | undefined
  /** The record as it travels. */
  readonly bytes: Uint8Array
}

/** What {@link sealNameRecord} signs. */
export interface NameRecordInit {
  readonly value: CID
  readonly sequence: bigint
  readonly validUntilMs: number
  /** Written into the record when given. */
  readonly signedAtMs?: number
}

/** The field of a record's signed data that says when it was signed; IPNS lets implementations add their own. */
const SIGNED_AT = '_signedAt'

const NAME_NAMESPACE = new TextEncoder().encode('/ipns/')
const SIGNING_PREFIX = new TextEncoder().encode('ipns-signature:')
const SEQUENCE_MAX = 2n ** 64n - 1n
const VALUE = /^\/ipfs\/([a-zA-Z0-9]+)$/
const EXPIRY = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?Z$/
const TTL_NS = BigInt(NAME_TTL_MS) * 1_000_000n

/**
 * The did of a name, given as a `did:key:…`, a `k51…` or `/ipns/k51…`.
 *
 * @throws DidError `ERR_DID_INVALID` or `ERR_IPNS_NAME_INVALID`
 */
export function parseName(text: string): Did {
  if (text.startsWith('did:')) return parseDid(text)
  return didFromIpnsName(text.startsWith('/ipns/') ? text.slice('/ipns/'.length) : text)
}

/**
 * The key under which a name's record lies in a DHT: `/ipns/` and the multihash of the public key.
 *
 * @see https://specs.ipfs.tech/ipns/ipns-record/#routing-record
 */
export function nameKey(did: Did): Uint8Array {
  return Buffer.concat([NAME_NAMESPACE, CID.parse(ipnsNameFromDid(did)).multihash.bytes])
}

/**
 * The did whose record belongs under `key`.
 *
 * @throws DhtError `ERR_NAME_INVALID` when it is no name of an Ed25519 key
 */
export function didFromNameKey(key: Uint8Array): Did {
  try {
    if (!NAME_NAMESPACE.every((byte, index) => key[index] === byte)) throw new Error('another namespace')
    // CIDv1 of the libp2p-key codec (0x72) around the multihash is the name itself
    const cid = CID.decode(Uint8Array.of(0x01, 0x72, ...key.subarray(NAME_NAMESPACE.length)))
    return didFromIpnsName(cid.toString(base36))
  } catch (cause) {
    throw new DhtError('ERR_NAME_INVALID', 'expected the key of an IPNS name of an Ed25519 key', { cause })
  }
}

/** Signs what a name points to. The same input gives the same bytes. */
export async function sealNameRecord(signer: KeyPair, init: NameRecordInit): Promise<NameRecord> {
  const { value, sequence, validUntilMs } = init
  if (sequence < 0n || sequence > SEQUENCE_MAX) {
    throw new DhtError('ERR_NAME_INVALID', `expected a sequence of 64 bits, got ${sequence}`)
  }
  const privateKey = privateKeyFromRaw(Buffer.concat([signer.seed, signer.publicKey]))
  const path = `/ipfs/${value.toV1().toString()}`
  const expiry = new Date(validUntilMs).toISOString()
  // with the legacy signature too, so that readers of every age can use the record
  const record = await createIPNSRecordWithExpiration(privateKey, path, sequence, expiry, {
    ttlNs: TTL_NS,
    v1Compatible: true
  })
  const { signedAtMs } = init
  const sealed = signedAtMs === undefined ? record : withSigningTime(signer, record, signedAtMs)
  return verifyNameRecord(signer.did, marshalIPNSRecord(sealed))
}

/** The same record with one more field in its signed data; the legacy signature does not cover that. */
function withSigningTime<R extends IPNSRecord>(signer: KeyPair, record: R, signedAtMs: number): R {
  const fields = decodeCanonical(record.data, { bytesMax: RECORD_BYTES_MAX }) as Record<string, unknown>
  const data = encodeCanonical({ ...fields, [SIGNED_AT]: signedAtMs })
  return { ...record, data, signatureV2: signer.sign(Buffer.concat([SIGNING_PREFIX, data])) }
}

/** Anything but a time is as if it were not there: it decides nothing. */
function readSigningTime(data: Uint8Array): number | undefined {
  try {
    const fields = decodeCanonical(data, { bytesMax: RECORD_BYTES_MAX }) as Readonly<Record<string, unknown>>
    const time = fields[SIGNED_AT]
    return typeof time === 'number' && Number.isSafeInteger(time) && time >= 0 ? time : undefined
  } catch {
    return undefined
  }
}

/**
 * Verifies a record that has come for the name of `did` and that has not expired at `nowMs`.
 *
 * @throws DhtError as `verifyNameRecord` does, and `ERR_NAME_EXPIRED`
 */
export function openNameRecord(did: Did, bytes: Uint8Array, nowMs: number): NameRecord {
  const record = verifyNameRecord(did, bytes)
  if (record.validUntilMs <= nowMs) throw expiredError(record)
  return record
}

/** The error for a record that does not count any more. */
export function expiredError(record: NameRecord): DhtError {
  const expiry = new Date(record.validUntilMs).toISOString()
  const message = `expected a current record of the name, got sequence ${record.sequence}, expired at ${expiry}`
  return new DhtError('ERR_NAME_EXPIRED', message)
}

/**
 * Verifies a record for the name of `did`, whatever its expiry: an expired one still proves that its sequence was
 * published.
 *
 * @throws DhtError `ERR_NAME_TOO_LARGE`, `ERR_NAME_INVALID` when it is malformed or points to anything but a CID, or
 * `ERR_NAME_SIGNER` when another key signed it
 * @see https://specs.ipfs.tech/ipns/ipns-record/#record-verification
 */
export function verifyNameRecord(did: Did, bytes: Uint8Array): NameRecord {
  if (bytes.length > RECORD_BYTES_MAX) {
    const message = `expected a name record of at most ${RECORD_BYTES_MAX} bytes, got ${bytes.length}`
    throw new DhtError('ERR_NAME_TOO_LARGE', message)
  }
  const digest = digestOf(bytes)
  const known = opened.get(digest)
  if (known?.did === did) return known
  const raw = decodeRecord(bytes)
  const signed = Buffer.concat([SIGNING_PREFIX, raw.data])
  if (!verifySignatureOnce(publicKeyFromDid(did), signed, raw.signatureV2)) {
    throw new DhtError('ERR_NAME_SIGNER', `expected a name record signed by ${did}`)
  }
  const about = { did, value: readValue(raw.value), ...readRank(raw), signedAtMs: readSigningTime(raw.data) }
  const record = Object.freeze({ ...about, bytes: Uint8Array.from(bytes) })
  opened.set(digest, record)
  return record
}

/** Records that were verified lately: the same one comes from each peer that holds it. */
const opened = createRecent<NameRecord>(NAMES_OPENED_MAX)

function digestOf(bytes: Uint8Array): string {
  return hash('sha256', bytes, 'base64')
}

/**
 * Compares two name records by their contents alone: above zero when `a` is the newer one, below when `b` is. Order: sequence, expiry,
 * bytes, so that everybody prefers the same of two records. Bytes that are no record are older than any record.
 */
export function compareNameRecords(a: Uint8Array, b: Uint8Array): number {
  return compareRanked(tryRank(a), tryRank(b))
}

/** Whether a record should take the place of the one already held. */
export function isNewer(candidate: Uint8Array, held: Uint8Array): boolean {
  return compareNameRecords(candidate, held) > 0
}

/** Which of several records is the newest; an index. */
export function selectNameRecord(records: readonly Uint8Array[]): number {
  const ranked = records.map(tryRank)
  let best = 0
  for (let index = 1; index < ranked.length; index++) {
    if (compareRanked(ranked[index], ranked[best]) > 0) best = index
  }
  return best
}

interface Rank {
  readonly sequence: bigint
  readonly validUntilMs: number
}

type Ranked = (Rank & { readonly bytes: Uint8Array }) | undefined

function compareRanked(a: Ranked, b: Ranked): number {
  if (a === undefined || b === undefined) return Number(a !== undefined) - Number(b !== undefined)
  if (a.sequence !== b.sequence) return a.sequence > b.sequence ? 1 : -1
  if (a.validUntilMs !== b.validUntilMs) return a.validUntilMs > b.validUntilMs ? 1 : -1
  return Buffer.compare(a.bytes, b.bytes)
}

function tryRank(bytes: Uint8Array): Ranked {
  try {
    const { sequence, validUntilMs } = opened.get(digestOf(bytes)) ?? readRank(decodeRecord(bytes))
    return { sequence, validUntilMs, bytes }
  } catch {
    return undefined
  }
}

function decodeRecord(bytes: Uint8Array): IPNSRecord {
  try {
    return unmarshalIPNSRecord(bytes)
  } catch (cause) {
    throw new DhtError('ERR_NAME_INVALID', 'expected an IPNS record, got other bytes', { cause })
  }
}

function readRank(raw: IPNSRecord): Rank {
  const sequence: unknown = raw.sequence
  const [, seconds, fraction = ''] = EXPIRY.exec(raw.validity) ?? []
  const validUntilMs = Date.parse(`${seconds ?? ''}.${fraction.slice(0, 3).padEnd(3, '0')}Z`)
  if (
    typeof sequence !== 'bigint' ||
    sequence < 0n ||
    sequence > SEQUENCE_MAX ||
    Number.isNaN(validUntilMs)
  ) {
    throw new DhtError('ERR_NAME_INVALID', 'expected a name record with a sequence and an expiry in UTC')
  }
  return { sequence, validUntilMs }
}

function readValue(path: string): CID {
  const text = VALUE.exec(path)?.[1]
  try {
    if (text !== undefined) return CID.parse(text).toV1()
  } catch (cause) {
    throw new DhtError('ERR_NAME_INVALID', 'expected a name that points to /ipfs/CID', { cause })
  }
  throw new DhtError('ERR_NAME_INVALID', 'expected a name that points to /ipfs/CID and no further')
}
