import { decodeCanonical, encodeCanonical } from './canonical.ts'
import {
  ENVELOPE_LABEL_BYTES_MAX,
  ENVELOPE_OVERHEAD_BYTES_MAX,
  ENVELOPE_PAYLOAD_BYTES_MAX,
  ENVELOPE_SIGNING_CONTEXT,
  ENVELOPE_VERSION,
  PUBLIC_KEY_BYTES,
  SIGNATURE_BYTES
} from './constants.ts'
import { didFromPublicKey, type Did } from './did.ts'
import { DidError, type EnvelopeErrorCode } from './errors.ts'
import type { Signer } from './keys.ts'
import { verifySignatureOnce } from './verified.ts'

/** What an envelope is about, signed with its payload so that no envelope can be taken for another. */
export interface EnvelopeLabels {
  /** The protocol it belongs to, such as `elastos/room`; printable ASCII, at most 128 bytes. */
  readonly domain: string
  /** The kind of payload and its version, such as `message/1`; printable ASCII, at most 128 bytes. */
  readonly type: string
}

/** What {@link sealEnvelope} signs. */
export interface EnvelopeInit extends EnvelopeLabels {
  /** A value with a canonical DAG-CBOR form (no fractions, no `undefined`). */
  readonly payload: unknown
}

/** What {@link openEnvelope} insists on. */
export interface EnvelopeExpectation extends EnvelopeLabels {
  /** Most bytes of the whole envelope that are looked at. */
  readonly bytesMax: number
}

/** A verified envelope. The payload is plain data whose shape is still the caller's to check. */
export interface OpenedEnvelope {
  /** Who signed. */
  readonly signer: Did
  /** The decoded payload. */
  readonly payload: unknown
}

const LABEL = /^[\x21-\x7e]+$/
// multicodec 0xed (ed25519-pub) before the raw key: a did:key in binary, open to other key types later.
const SIGNER_HEAD = Uint8Array.of(0xed, 0x01)

function envelopeError(code: EnvelopeErrorCode, message: string, cause?: unknown): DidError {
  return new DidError(code, message, { cause })
}

/**
 * Signs `payload` as `signer`: the canonical DAG-CBOR array `[1, domain, type, signer, payload bytes, signature]`.
 *
 * @throws DidError `ERR_CBOR_UNSUPPORTED` or `ERR_ENVELOPE_PAYLOAD` when the payload has no canonical form or is
 * too large, `ERR_ENVELOPE_DOMAIN` or `ERR_ENVELOPE_TYPE` when a label is empty, too long or not printable ASCII
 * @see docs/protocols/envelope.md
 */
export function sealEnvelope(signer: Signer, init: EnvelopeInit): Uint8Array {
  if (!isLabel(init.domain)) throw envelopeError('ERR_ENVELOPE_DOMAIN', `expected a short printable domain`)
  if (!isLabel(init.type)) throw envelopeError('ERR_ENVELOPE_TYPE', `expected a short printable payload type`)
  const payload = encodeCanonical(init.payload)
  if (payload.length > ENVELOPE_PAYLOAD_BYTES_MAX) {
    throw envelopeError(
      'ERR_ENVELOPE_PAYLOAD',
      `expected a payload of at most ${ENVELOPE_PAYLOAD_BYTES_MAX} bytes, got ${payload.length}`
    )
  }
  const signature = signer.sign(signingInput(init, signer.publicKey, payload))
  const signerBytes = Uint8Array.from([...SIGNER_HEAD, ...signer.publicKey])
  return encodeCanonical([ENVELOPE_VERSION, init.domain, init.type, signerBytes, payload, signature])
}

/**
 * Verifies an envelope and returns who signed what. Order: size, form, version, labels, signature, payload; the
 * payload is not parsed before the signature holds.
 *
 * @throws DidError `ERR_ENVELOPE_TOO_LARGE`, `ERR_ENVELOPE_MALFORMED`, `ERR_ENVELOPE_VERSION`,
 * `ERR_ENVELOPE_DOMAIN`, `ERR_ENVELOPE_TYPE`, `ERR_ENVELOPE_SIGNATURE` or `ERR_ENVELOPE_PAYLOAD`
 * @see docs/protocols/envelope.md
 */
export function openEnvelope(bytes: Uint8Array, expected: EnvelopeExpectation): OpenedEnvelope {
  const parts = readParts(bytes, expected.bytesMax)
  if (parts.domain !== expected.domain) {
    throw envelopeError(
      'ERR_ENVELOPE_DOMAIN',
      `expected an envelope of ${expected.domain}, got ${parts.domain}`
    )
  }
  if (parts.type !== expected.type) {
    throw envelopeError('ERR_ENVELOPE_TYPE', `expected a payload of type ${expected.type}, got ${parts.type}`)
  }
  const signed = signingInput(parts, parts.publicKey, parts.payload)
  if (!verifySignatureOnce(parts.publicKey, signed, parts.signature)) {
    throw envelopeError('ERR_ENVELOPE_SIGNATURE', 'expected a valid signature, got one that does not verify')
  }
  try {
    return { signer: parts.signer, payload: decodeCanonical(parts.payload, { bytesMax: expected.bytesMax }) }
  } catch (cause) {
    throw envelopeError('ERR_ENVELOPE_PAYLOAD', 'expected a payload of canonical DAG-CBOR', cause)
  }
}

/** What the signature covers. An array of typed, length-prefixed items: two different envelopes never share it. */
function signingInput(labels: EnvelopeLabels, publicKey: Uint8Array, payload: Uint8Array): Uint8Array {
  return encodeCanonical([ENVELOPE_SIGNING_CONTEXT, labels.domain, labels.type, publicKey, payload])
}

interface EnvelopeParts extends EnvelopeLabels {
  readonly signer: Did
  readonly publicKey: Uint8Array
  readonly payload: Uint8Array
  readonly signature: Uint8Array
}

function readParts(bytes: Uint8Array, bytesMax: number): EnvelopeParts {
  if (bytes.length > bytesMax) {
    throw envelopeError('ERR_ENVELOPE_TOO_LARGE', `expected at most ${bytesMax} bytes, got ${bytes.length}`)
  }
  let decoded: unknown
  try {
    decoded = decodeCanonical(bytes, { bytesMax, depthMax: 1, itemsMax: 7, isViewing: true })
  } catch (cause) {
    throw envelopeError('ERR_ENVELOPE_MALFORMED', 'expected an envelope of canonical DAG-CBOR', cause)
  }
  if (!Array.isArray(decoded)) throw envelopeError('ERR_ENVELOPE_MALFORMED', 'expected an envelope array')
  const [version, domain, type, signer, payload, signature] = decoded as unknown[]
  if (version !== ENVELOPE_VERSION) {
    throw envelopeError('ERR_ENVELOPE_VERSION', `expected envelope version ${ENVELOPE_VERSION}`)
  }
  if (decoded.length !== 6 || !isLabel(domain) || !isLabel(type) || !isBytes(payload)) {
    throw envelopeError(
      'ERR_ENVELOPE_MALFORMED',
      'expected [version, domain, type, signer, payload, signature]'
    )
  }
  if (!isBytes(signature) || signature.length !== SIGNATURE_BYTES) {
    throw envelopeError('ERR_ENVELOPE_MALFORMED', `expected a signature of ${SIGNATURE_BYTES} bytes`)
  }
  const publicKey = readSigner(signer)
  return { domain, type, signer: didFromPublicKey(publicKey), publicKey, payload, signature }
}

function readSigner(signer: unknown): Uint8Array {
  const isKey =
    isBytes(signer) &&
    signer.length === SIGNER_HEAD.length + PUBLIC_KEY_BYTES &&
    SIGNER_HEAD.every((byte, index) => signer[index] === byte)
  if (!isKey) throw envelopeError('ERR_ENVELOPE_MALFORMED', 'expected an Ed25519 signer')
  const publicKey = signer.subarray(SIGNER_HEAD.length)
  try {
    didFromPublicKey(publicKey)
  } catch (cause) {
    throw envelopeError('ERR_ENVELOPE_MALFORMED', 'expected a canonical Ed25519 signer', cause)
  }
  return publicKey
}

function isLabel(value: unknown): value is string {
  return typeof value === 'string' && value.length <= ENVELOPE_LABEL_BYTES_MAX && LABEL.test(value)
}

function isBytes(value: unknown): value is Uint8Array {
  return value instanceof Uint8Array
}

/** Most bytes an envelope around a payload of `payloadBytesMax` can take, for a reader's `bytesMax`. */
export function envelopeBytesMax(payloadBytesMax: number): number {
  return payloadBytesMax + ENVELOPE_OVERHEAD_BYTES_MAX
}
