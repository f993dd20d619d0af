import {
  CERTIFICATE_BYTES_MAX,
  DEVICE_NAME_CHARS_MAX,
  DEVICE_STATEMENT_BYTES_MAX,
  IDENTITY_DOMAIN
} from './constants.ts'
import { parseDid, type Did } from './did.ts'
import { openEnvelope, sealEnvelope } from './envelope.ts'
import { DidError } from './errors.ts'
import type { Signer } from './keys.ts'

const CERTIFICATE = { domain: IDENTITY_DOMAIN, type: 'device-certificate/1' } as const
const STATEMENT = { domain: IDENTITY_DOMAIN, type: 'device-statement/1' } as const

// Control, format (bidirectional overrides, zero width), line and paragraph separators, unassigned surrogates.
const UNSAFE_IN_A_NAME = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/u

/** What a person says about a device of theirs. */
export interface DeviceClaim {
  /** The device's did, which is also its PeerId. */
  readonly device: Did
  /** When the person signed, milliseconds since the Unix epoch. */
  readonly issuedAtMs: number
  /** What the person calls the device: 1 to 64 printable characters. Every peer that sees the certificate sees it. */
  readonly name?: string
}

/** A verified device certificate. */
export interface DeviceCertificate extends DeviceClaim {
  /** The person who signed. */
  readonly person: Did
}

/** A verified device statement: both sides signed. */
export interface DeviceStatement extends DeviceCertificate {
  /** When the device signed, milliseconds since the Unix epoch. */
  readonly statedAtMs: number
}

/**
 * The certificate by which `person` says that a device is theirs: an envelope around {@link DeviceClaim}.
 *
 * @throws DidError `ERR_CERTIFICATE_INVALID` when the claim has no valid did, time or name
 * @see docs/protocols/identity.md
 */
export function certifyDevice(person: Signer, claim: DeviceClaim): Uint8Array {
  const { device, issuedAtMs, name } = readClaim({ ...claim })
  const payload = name === undefined ? { device, issuedAtMs } : { device, issuedAtMs, name }
  return sealEnvelope(person, { ...CERTIFICATE, payload })
}

/**
 * Verifies a device certificate. It says what the person claims; that the device agrees is shown by the device
 * presenting it under its own signature, as a {@link openDeviceStatement | device statement} does.
 *
 * @throws DidError an `ERR_ENVELOPE_…` code, or `ERR_CERTIFICATE_INVALID` when the payload is not a claim
 */
export function openCertificate(bytes: Uint8Array): DeviceCertificate {
  const { signer, payload } = openEnvelope(bytes, { ...CERTIFICATE, bytesMax: CERTIFICATE_BYTES_MAX })
  return { person: signer, ...readClaim(payload) }
}

/**
 * The person whose certificate this is, given that `device` presented it.
 *
 * @throws DidError as {@link openCertificate}, or `ERR_CERTIFICATE_DEVICE` when it certifies another device
 */
export function personOfDevice(certificate: Uint8Array, device: Did): Did {
  const opened = openCertificate(certificate)
  if (opened.device !== device) {
    throw new DidError(
      'ERR_CERTIFICATE_DEVICE',
      `expected a certificate for ${device}, got one for ${opened.device}`
    )
  }
  return opened.person
}

/**
 * What a device shows to peers so that they can bind it to a person: the person's certificate, signed over by the
 * device itself, so that nobody can claim a device that does not agree.
 *
 * @throws DidError as {@link personOfDevice}
 * @see docs/protocols/identity.md
 */
export function stateDevice(device: Signer, certificate: Uint8Array, statedAtMs: number): Uint8Array {
  personOfDevice(certificate, device.did)
  return sealEnvelope(device, { ...STATEMENT, payload: { certificate, statedAtMs: readTime(statedAtMs) } })
}

/**
 * Verifies a device statement and the certificate inside.
 *
 * @throws DidError an `ERR_ENVELOPE_…` or `ERR_CERTIFICATE_…` code
 */
export function openDeviceStatement(bytes: Uint8Array): DeviceStatement {
  const { signer, payload } = openEnvelope(bytes, { ...STATEMENT, bytesMax: DEVICE_STATEMENT_BYTES_MAX })
  const fields = readFields(payload, ['certificate', 'statedAtMs'])
  if (!(fields['certificate'] instanceof Uint8Array)) throw invalid('the bytes of a certificate')
  const statedAtMs = readTime(fields['statedAtMs'])
  personOfDevice(fields['certificate'], signer)
  return { ...openCertificate(fields['certificate']), statedAtMs }
}

function invalid(what: string, cause?: unknown): DidError {
  return new DidError('ERR_CERTIFICATE_INVALID', `expected ${what}`, { cause })
}

function readFields(value: unknown, names: readonly string[]): Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw invalid(`a map of ${names.join()}`)
  const unknown = Object.keys(value).find((key) => !names.includes(key))
  if (unknown !== undefined) throw invalid(`only the fields ${names.join(', ')}`)
  return value as Readonly<Record<string, unknown>>
}

function readClaim(value: unknown): DeviceClaim {
  const { device, issuedAtMs, name } = readFields(value, ['device', 'issuedAtMs', 'name']) as {
    device?: unknown
    issuedAtMs?: unknown
    name?: unknown
  }
  const claim = { device: readDevice(device), issuedAtMs: readTime(issuedAtMs) }
  if (name === undefined) return claim
  if (!isDeviceName(name)) throw invalid(`a name of 1 to ${DEVICE_NAME_CHARS_MAX} printable characters`)
  return { ...claim, name }
}

function readDevice(value: unknown): Did {
  if (typeof value !== 'string') throw invalid('the did of a device')
  try {
    return parseDid(value)
  } catch (cause) {
    throw invalid('the did of a device', cause)
  }
}

function readTime(value: unknown): number {
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0) {
    throw invalid('a whole number of milliseconds since the Unix epoch')
  }
  return value
}

function isDeviceName(value: unknown): value is string {
  return (
    typeof value === 'string' &&
    value.length >= 1 &&
    value.length <= DEVICE_NAME_CHARS_MAX &&
    !UNSAFE_IN_A_NAME.test(value)
  )
}
