import { sign } from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import { CERTIFICATE_VALID_MS } from './constants.ts'

/** What a certificate is made of. */
export interface CertificateInit {
  /** An Ed25519 key pair. */
  readonly privateKey: KeyObject
  readonly publicKey: KeyObject
  /** Fresh randomness for its serial number. */
  readonly serial: Uint8Array
  readonly nowMs: number
}

const DER = {
  integer: 0x02,
  bitString: 0x03,
  objectId: 0x06,
  utf8: 0x0c,
  utcTime: 0x17,
  generalizedTime: 0x18,
  sequence: 0x30,
  set: 0x31,
  version: 0xa0
} as const

/** 1.3.101.112, Ed25519 (RFC 8410 § 3). */
const ED25519 = Uint8Array.of(0x2b, 0x65, 0x70)
/** 2.5.4.3, a common name. */
const COMMON_NAME = Uint8Array.of(0x55, 0x04, 0x03)
/** The year from which on times are written with four digits (RFC 5280 § 4.1.2.5). */
const FOUR_DIGITS_FROM = 2050

/** One DER value of the given tag. */
function der(tag: number, ...parts: readonly Uint8Array[]): Buffer {
  const body = Buffer.concat(parts)
  const length =
    body.length < 0x80
      ? [body.length]
      : body.length < 0x100
        ? [0x81, body.length]
        : [0x82, body.length >> 8, body.length & 0xff]
  return Buffer.concat([Uint8Array.of(tag, ...length), body])
}

function time(ms: number): Buffer {
  const date = new Date(ms)
  const digits = `${date.toISOString().replace(/[-:T]/g, '').slice(0, 14)}Z`
  const isLong = date.getUTCFullYear() >= FOUR_DIGITS_FROM
  return der(isLong ? DER.generalizedTime : DER.utcTime, Buffer.from(isLong ? digits : digits.slice(2)))
}

/**
 * A self-signed X.509 certificate in DER (RFC 5280) that names nobody: whoever is shown it compares its SHA-256 with
 * what the peer said over a connection that authenticates both.
 */
export function createCertificate({ privateKey, publicKey, serial, nowMs }: CertificateInit): Buffer {
  const algorithm = der(DER.sequence, der(DER.objectId, ED25519))
  const name = der(
    DER.sequence,
    der(DER.set, der(DER.sequence, der(DER.objectId, COMMON_NAME), der(DER.utf8, Buffer.from('elastos'))))
  )
  const body = der(
    DER.sequence,
    der(DER.version, der(DER.integer, Uint8Array.of(2))),
    // A first bit of 0 keeps the number positive, one that is set its length.
    der(DER.integer, Uint8Array.of(0x40 | ((serial[0] ?? 0) & 0x3f)), serial.subarray(1)),
    algorithm,
    name,
    der(DER.sequence, time(nowMs - CERTIFICATE_VALID_MS), time(nowMs + CERTIFICATE_VALID_MS)),
    name,
    publicKey.export({ type: 'spki', format: 'der' })
  )
  const signature = sign(null, body, privateKey)
  return der(DER.sequence, body, algorithm, der(DER.bitString, Uint8Array.of(0), signature))
}
