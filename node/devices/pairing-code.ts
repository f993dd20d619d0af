import { createHmac, timingSafeEqual } from 'node:crypto'
import * as z from 'zod'
import {
  decodeCanonical,
  didFromPublicKey,
  encodeCanonical,
  openCertificate,
  publicKeyFromDid,
  type Did
} from '#did'
import { NodeError } from '../errors.ts'
import {
  PAIRING_ADDRESS_CHARS_MAX,
  PAIRING_ADDRESSES_MAX,
  PAIRING_KEY_BYTES,
  PAIRING_TEXT_CHARS_MAX
} from './constants.ts'

/** What a new device shows: who it is, where, and a key that only those who see it know. */
export interface PairingCode {
  readonly device: Did
  readonly key: Uint8Array
  /** Multiaddrs without `/p2p/…`. */
  readonly addresses: readonly string[]
}

const CODE_PREFIX = 'elastos-device:'
const CERTIFICATE_PREFIX = 'elastos-certificate:'
const CONTEXT = 'elastos/pairing/1'

const code = z.tuple([
  z.literal(1),
  z.custom<Uint8Array>((value) => value instanceof Uint8Array && value.length === 32),
  z.custom<Uint8Array>((value) => value instanceof Uint8Array && value.length === PAIRING_KEY_BYTES),
  z
    .array(
      z
        .string()
        .max(PAIRING_ADDRESS_CHARS_MAX)
        .regex(/^\/[\x21-\x7e]+$/)
    )
    .max(PAIRING_ADDRESSES_MAX)
])

/** The code as text: `elastos-device:` and base64url. */
export function writePairingCode({ device, key, addresses }: PairingCode): string {
  const fitting = addresses.filter((address) => address.length <= PAIRING_ADDRESS_CHARS_MAX)
  const bytes = encodeCanonical([1, publicKeyFromDid(device), key, fitting.slice(0, PAIRING_ADDRESSES_MAX)])
  return CODE_PREFIX + Buffer.from(bytes).toString('base64url')
}

/**
 * Reads a code that somebody pasted; white space is left out.
 *
 * @throws NodeError `ERR_PAIRING_CODE`
 */
export function readPairingCode(text: string): PairingCode {
  const bytes = readText(text, CODE_PREFIX)
  try {
    const [, publicKey, key, addresses] = code.parse(
      decodeCanonical(bytes, { bytesMax: PAIRING_TEXT_CHARS_MAX, depthMax: 2, itemsMax: 16 })
    )
    return { device: didFromPublicKey(publicKey), key: Uint8Array.from(key), addresses }
  } catch (cause) {
    throw invalid('the code that the new device shows', cause)
  }
}

/** A certificate as text, for when the two devices cannot reach each other. */
export function writeCertificateText(certificate: Uint8Array): string {
  return CERTIFICATE_PREFIX + Buffer.from(certificate).toString('base64url')
}

/**
 * Reads a certificate that somebody pasted.
 *
 * @throws NodeError `ERR_PAIRING_CODE`; DidError for a certificate that does not verify
 */
export function readCertificateText(text: string): Uint8Array {
  const certificate = readText(text, CERTIFICATE_PREFIX)
  openCertificate(certificate)
  return certificate
}

/** Shows that whoever hands over a certificate has seen the code. */
export function pairingProof(
  { key, device }: Pick<PairingCode, 'key' | 'device'>,
  { certificate, from }: { readonly certificate: Uint8Array; readonly from: Did }
): Uint8Array {
  const input = encodeCanonical([CONTEXT, publicKeyFromDid(device), publicKeyFromDid(from), certificate])
  return Uint8Array.from(createHmac('sha256', key).update(input).digest())
}

/** Whether two proofs are the same, in constant time. */
export function isSameProof(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && timingSafeEqual(a, b)
}

function readText(text: string, prefix: string): Uint8Array {
  const whole = text.length > PAIRING_TEXT_CHARS_MAX ? '' : text.replaceAll(/\s/g, '')
  const encoded = whole.slice(prefix.length)
  const bytes = Buffer.from(encoded, 'base64url')
  if (!whole.startsWith(prefix) || bytes.length === 0 || bytes.toString('base64url') !== encoded) {
    throw invalid(`text that begins with ${prefix}`)
  }
  return Uint8Array.from(bytes)
}

function invalid(expected: string, cause?: unknown): NodeError {
  return new NodeError('ERR_PAIRING_CODE', `expected ${expected}, whole and unchanged`, { cause })
}
