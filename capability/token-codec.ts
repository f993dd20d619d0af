import { createHash } from 'node:crypto'
import { CID } from 'multiformats/cid'
import {
  decodeCanonical,
  didFromPublicKey,
  encodeCanonical,
  publicKeyFromDid,
  type Did,
  type Signer
} from '#did'
import { parseCommandPattern } from './command.ts'
import {
  TOKEN_BYTES_MAX,
  TOKEN_COUNTER_MAX,
  TOKEN_ITEMS_MAX,
  TOKEN_NESTING_MAX,
  TOKEN_NONCE_BYTES,
  TOKEN_SIGNING_CONTEXT,
  TOKEN_VERSION
} from './constants.ts'
import { CapabilityError } from './errors.ts'
import { parseResourcePattern } from './resource.ts'
import type { Token } from './token.ts'

/** The claims of a token in the words of this program; what is absent is absent in the bytes too. */
export interface Claims {
  readonly issuer: Did
  readonly audience: Did
  readonly subject: Did
  readonly command: string
  readonly resource: string
  readonly notBeforeMs?: number
  readonly expiresAtMs: number | null
  readonly nonce: Uint8Array
  readonly epoch: number
  readonly usesMax?: number
  readonly proof?: string
}

/** What the signature of a token covers, and by whom. */
export interface SignedParts {
  readonly publicKey: Uint8Array
  readonly message: Uint8Array
  readonly signature: Uint8Array
}

const SIGNATURE_BYTES = 64
// The token array's head and its version before the claims; the head of a 64-byte string before the signature.
const BEFORE_CLAIMS = Uint8Array.of(0x83, TOKEN_VERSION)
const BEFORE_SIGNATURE = Uint8Array.of(0x58, SIGNATURE_BYTES)
const MESSAGE_HEAD = Uint8Array.of(0x82, ...encodeCanonical(TOKEN_SIGNING_CONTEXT))
// multicodec 0xed (ed25519-pub) before the raw key: a did:key in binary, as in an envelope.
const KEY_HEAD = Uint8Array.of(0xed, 0x01)
const PUBLIC_KEY_BYTES = 32
const DAG_CBOR = 0x71
const SHA2_256 = 0x12
// CIDv1, dag-cbor, sha2-256 of 32 bytes; RFC 4648 §6 in lower case, without padding.
const CID_HEAD = [0x01, DAG_CBOR, SHA2_256, 32] as const
const BASE32 = 'abcdefghijklmnopqrstuvwxyz234567'
const REQUIRED = ['aud', 'cmd', 'epo', 'exp', 'iss', 'nonce', 'res'] as const
const OPTIONAL = ['max', 'nbf', 'prf', 'sub'] as const

class SealedToken implements Token {
  readonly cid: string
  readonly issuer: Did
  readonly audience: Did
  readonly subject: Did
  readonly command: string
  readonly resource: string
  declare readonly notBeforeMs?: number
  readonly expiresAtMs: number | null
  readonly epoch: number
  declare readonly usesMax?: number
  declare readonly proof?: string
  // Typed arrays cannot be frozen: what is verified is a copy that nobody else has.
  readonly #bytes: Uint8Array
  readonly #nonce: Uint8Array
  readonly #issuerKey: Uint8Array

  constructor(bytes: Uint8Array, claims: Claims, issuerKey: Uint8Array) {
    this.#bytes = Uint8Array.from(bytes)
    this.#nonce = Uint8Array.from(claims.nonce)
    this.#issuerKey = Uint8Array.from(issuerKey)
    this.cid = cidOf(this.#bytes)
    this.issuer = claims.issuer
    this.audience = claims.audience
    this.subject = claims.subject
    this.command = claims.command
    this.resource = claims.resource
    this.expiresAtMs = claims.expiresAtMs
    this.epoch = claims.epoch
    if (claims.notBeforeMs !== undefined) this.notBeforeMs = claims.notBeforeMs
    if (claims.usesMax !== undefined) this.usesMax = claims.usesMax
    if (claims.proof !== undefined) this.proof = claims.proof
    Object.freeze(this)
  }

  get bytes(): Uint8Array {
    return Uint8Array.from(this.#bytes)
  }

  get nonce(): Uint8Array {
    return Uint8Array.from(this.#nonce)
  }

  static signedParts(token: Token): SignedParts | undefined {
    if (!(#bytes in token)) return undefined
    const end = token.#bytes.length - SIGNATURE_BYTES
    const claims = token.#bytes.subarray(BEFORE_CLAIMS.length, end - BEFORE_SIGNATURE.length)
    return {
      publicKey: token.#issuerKey,
      message: Buffer.concat([MESSAGE_HEAD, claims]),
      signature: token.#bytes.subarray(end)
    }
  }
}

/** Signs claims that are known to be in their normal form. */
export function sealToken(issuer: Signer, claims: Omit<Claims, 'issuer'>): Token {
  const { audience, subject, notBeforeMs, usesMax, proof } = claims
  const map = encodeCanonical({
    iss: keyBytes(issuer.publicKey),
    aud: keyBytes(publicKeyFromDid(audience)),
    ...(subject === audience ? {} : { sub: keyBytes(publicKeyFromDid(subject)) }),
    cmd: claims.command,
    res: claims.resource,
    ...(notBeforeMs === undefined ? {} : { nbf: notBeforeMs }),
    exp: claims.expiresAtMs,
    nonce: claims.nonce,
    epo: claims.epoch,
    ...(usesMax === undefined ? {} : { max: usesMax }),
    ...(proof === undefined ? {} : { prf: CID.parse(proof) })
  })
  const signature = issuer.sign(Buffer.concat([MESSAGE_HEAD, map]))
  // Read back as everybody else will: what is issued here is what is accepted elsewhere.
  return decodeToken(Buffer.concat([BEFORE_CLAIMS, map, BEFORE_SIGNATURE, signature]))
}

/**
 * Reads a token: strict, one encoding only, every bound checked. The signature is not looked at: that is part of
 * {@link verifyChain}.
 *
 * @throws CapabilityError `ERR_TOKEN_TOO_LARGE`, `ERR_TOKEN_MALFORMED` or `ERR_TOKEN_VERSION`
 * @see docs/protocols/capability-token.md
 */
export function decodeToken(bytes: Uint8Array): Token {
  if (bytes.length > TOKEN_BYTES_MAX) {
    throw new CapabilityError(
      'ERR_TOKEN_TOO_LARGE',
      `expected a token of at most ${TOKEN_BYTES_MAX} bytes, got ${bytes.length}`
    )
  }
  const elements = readArray(bytes)
  const [version, map, signature] = elements
  if (version !== TOKEN_VERSION) {
    throw new CapabilityError('ERR_TOKEN_VERSION', `expected token version ${TOKEN_VERSION}`)
  }
  const isSigned = signature instanceof Uint8Array && signature.length === SIGNATURE_BYTES
  if (elements.length !== 3 || !isSigned) throw malformed('[version, claims, 64-byte signature]')
  const fields = readFields(map)
  const issuerKey = readKey(fields.iss, 'iss')
  return new SealedToken(bytes, readClaims(fields), issuerKey)
}

/** What the signature of a token covers; undefined for an object that only looks like a token. */
export const signedParts: (token: Token) => SignedParts | undefined = (token) =>
  SealedToken.signedParts(token)

type Fields = Readonly<Record<(typeof REQUIRED)[number] | (typeof OPTIONAL)[number], unknown>>

function readArray(bytes: Uint8Array): readonly unknown[] {
  let value: unknown
  try {
    value = decodeCanonical(bytes, {
      bytesMax: TOKEN_BYTES_MAX,
      depthMax: TOKEN_NESTING_MAX,
      itemsMax: TOKEN_ITEMS_MAX
    })
  } catch (cause) {
    throw malformed('canonical DAG-CBOR', cause)
  }
  if (!Array.isArray(value)) throw malformed('an array')
  return value as readonly unknown[]
}

function readFields(value: unknown): Fields {
  const isMap =
    typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype
  if (!isMap) throw malformed('claims')
  const known: ReadonlySet<string> = new Set([...REQUIRED, ...OPTIONAL])
  const missing = REQUIRED.find((name) => !Object.hasOwn(value, name))
  if (missing !== undefined) throw malformed(`the claim ${missing}`)
  if (Object.keys(value).some((name) => !known.has(name))) throw malformed('no other claims')
  return value as Fields
}

function readClaims(fields: Fields): Claims {
  const audience = readDid(fields.aud, 'aud')
  const subject = readOptional(fields.sub, (value) => readDid(value, 'sub'))
  if (subject === audience) throw malformed('sub only where it is not aud')
  const notBeforeMs = readOptional(fields.nbf, (value) => readNumber(value, 'nbf', Number.MAX_SAFE_INTEGER))
  const usesMax = readOptional(fields.max, (value) => readNumber(value, 'max', TOKEN_COUNTER_MAX))
  if (usesMax === 0) throw malformed('max of at least 1')
  const proof = readOptional(fields.prf, readProof)
  return {
    issuer: readDid(fields.iss, 'iss'),
    audience,
    subject: subject ?? audience,
    command: readPattern(fields.cmd, 'cmd', parseCommandPattern),
    resource: readPattern(fields.res, 'res', parseResourcePattern),
    expiresAtMs: fields.exp === null ? null : readNumber(fields.exp, 'exp', Number.MAX_SAFE_INTEGER),
    nonce: readNonce(fields.nonce),
    epoch: readNumber(fields.epo, 'epo', TOKEN_COUNTER_MAX),
    ...(notBeforeMs === undefined ? {} : { notBeforeMs }),
    ...(usesMax === undefined ? {} : { usesMax }),
    ...(proof === undefined ? {} : { proof })
  }
}

function readOptional<T>(value: unknown, read: (value: unknown) => T): T | undefined {
  // DAG-CBOR has no undefined: absent is the only way to have none.
  return value === undefined ? undefined : read(value)
}

function readKey(value: unknown, name: string): Uint8Array {
  const isKey =
    value instanceof Uint8Array &&
    value.length === KEY_HEAD.length + PUBLIC_KEY_BYTES &&
    KEY_HEAD.every((byte, index) => value[index] === byte)
  if (!isKey) throw malformed(`an Ed25519 key in ${name}`)
  return value.subarray(KEY_HEAD.length)
}

function readDid(value: unknown, name: string): Did {
  try {
    return didFromPublicKey(readKey(value, name))
  } catch (cause) {
    throw malformed(`an Ed25519 key in ${name}`, cause)
  }
}

function readNumber(value: unknown, name: string, max: number): number {
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0 || value > max) {
    throw malformed(`a whole number in ${name}`)
  }
  return value
}

function readNonce(value: unknown): Uint8Array {
  if (value instanceof Uint8Array && value.length === TOKEN_NONCE_BYTES) return value
  throw malformed(`a nonce of ${TOKEN_NONCE_BYTES} bytes`)
}

function readPattern(value: unknown, name: string, parse: (text: string) => string): string {
  let parsed: string | undefined
  try {
    parsed = typeof value === 'string' ? parse(value) : undefined
  } catch (cause) {
    throw malformed(`a pattern in ${name}`, cause)
  }
  if (parsed === undefined || parsed !== value) throw malformed(`the normal form of a pattern in ${name}`)
  return parsed
}

function readProof(value: unknown): string {
  const cid = CID.asCID(value)
  const isToken =
    cid !== null &&
    cid.version === 1 &&
    cid.code === DAG_CBOR &&
    cid.multihash.code === SHA2_256 &&
    cid.multihash.digest.length === 32
  if (!isToken) throw malformed('the CID of a token in prf')
  return cidText(cid.multihash.digest)
}

function keyBytes(publicKey: Uint8Array): Uint8Array {
  return Uint8Array.from([...KEY_HEAD, ...publicKey])
}

function cidOf(bytes: Uint8Array): string {
  return cidText(createHash('sha256').update(bytes).digest())
}

/** The CID of a digest as text. By hand, since the general way takes longer than reading a token. */
function cidText(digest: Uint8Array): string {
  let text = 'b'
  let bits = 0
  let held = 0
  for (const byte of [...CID_HEAD, ...digest]) {
    held = ((held & 0xff) << 8) | byte
    bits += 8
    for (; bits >= 5; bits -= 5) text += BASE32.charAt((held >> (bits - 5)) & 31)
  }
  return bits === 0 ? text : text + BASE32.charAt((held << (5 - bits)) & 31)
}

function malformed(expected: string, cause?: unknown): CapabilityError {
  return new CapabilityError('ERR_TOKEN_MALFORMED', `expected a token with ${expected}`, { cause })
}
