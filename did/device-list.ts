import * as z from 'zod'
import { openDeviceStatement } from './certificate.ts'
import {
  DEVICE_LIST_BYTES_MAX,
  DEVICE_STATEMENT_BYTES_MAX,
  DEVICES_LISTED_MAX,
  DEVICES_REVOKED_MAX,
  IDENTITY_DOMAIN
} from './constants.ts'
import { parseDid, type Did } from './did.ts'
import { openEnvelope, sealEnvelope } from './envelope.ts'
import { DidError } from './errors.ts'
import type { Signer } from './keys.ts'

const LIST = { domain: IDENTITY_DOMAIN, type: 'device-list/1' } as const

/** A device of a person, as the person's list has it. */
export interface ListedDevice {
  readonly device: Did
  /** When it was certified, or revoked: milliseconds since the Unix epoch, by the clock of the device that signed. */
  readonly atMs: number
  /** The device's own word that it is this person's; without it, only the person says so. */
  readonly statement?: Uint8Array
}

/** What a person says about all of their devices. */
export interface DeviceListClaim {
  /** Grows with every change, from 1. */
  readonly sequence: number
  readonly issuedAtMs: number
  /** Devices that may speak for the person; one that is not here may too, unless it was revoked. */
  readonly devices: readonly ListedDevice[]
  /** Devices that may not any more, ever. */
  readonly revoked: readonly ListedDevice[]
}

/** A verified device list. */
export interface DeviceList extends DeviceListClaim {
  readonly person: Did
}

const wholeNumber = z.int().min(0)
const did = z
  .string()
  .max(128)
  .transform((text) => parseDid(text))
const statement = z
  .custom<Uint8Array>((value) => value instanceof Uint8Array)
  .refine((bytes) => bytes.length <= DEVICE_STATEMENT_BYTES_MAX)
const entry = z.strictObject({ device: did, atMs: wholeNumber, statement: statement.optional() })
const claim = z.strictObject({
  sequence: wholeNumber.min(1),
  issuedAtMs: wholeNumber,
  devices: z.array(entry).max(DEVICES_LISTED_MAX),
  revoked: z.array(entry).max(DEVICES_REVOKED_MAX)
})

/**
 * Signs the list of a person's devices.
 *
 * @throws DidError `ERR_DEVICE_LIST_INVALID` for what {@link openDeviceList} would refuse
 * @see docs/protocols/devices.md
 */
export function signDeviceList(person: Signer, list: DeviceListClaim): Uint8Array {
  const { sequence, issuedAtMs } = list
  const payload = { sequence, issuedAtMs, devices: list.devices.map(plain), revoked: list.revoked.map(plain) }
  readClaim(person.did, payload)
  const bytes = sealEnvelope(person, { ...LIST, payload })
  if (bytes.length > DEVICE_LIST_BYTES_MAX) throw invalid(`at most ${DEVICE_LIST_BYTES_MAX} bytes`)
  return bytes
}

/**
 * Verifies the list of a person's devices, and every statement in it.
 *
 * @throws DidError an `ERR_ENVELOPE_…` code, or `ERR_DEVICE_LIST_INVALID` for another content, a device that is there
 * twice, and a statement that is not of its device about this person
 */
export function openDeviceList(bytes: Uint8Array): DeviceList {
  const { signer, payload } = openEnvelope(bytes, { ...LIST, bytesMax: DEVICE_LIST_BYTES_MAX })
  return { person: signer, ...readClaim(signer, payload) }
}

function readClaim(person: Did, payload: unknown): DeviceListClaim {
  let list: z.infer<typeof claim>
  try {
    list = claim.parse(payload)
  } catch (cause) {
    throw invalid('a sequence, a time, devices and revoked devices', cause)
  }
  const all = [...list.devices, ...list.revoked]
  if (new Set(all.map(({ device }) => device)).size < all.length) throw invalid('each device once')
  for (const one of all) assertStatement(person, one)
  return { ...list, devices: list.devices.map(plain), revoked: list.revoked.map(plain) }
}

function assertStatement(
  person: Did,
  { device, statement: bytes }: { device: Did; statement?: Uint8Array | undefined }
): void {
  if (bytes === undefined) return
  try {
    const stated = openDeviceStatement(bytes)
    if (stated.device === device && stated.person === person) return
  } catch (cause) {
    throw invalid('device statements that verify', cause)
  }
  throw invalid('statements of the devices they stand beside, about this person')
}

function plain(one: { device: Did; atMs: number; statement?: Uint8Array | undefined }): ListedDevice {
  const { device, atMs, statement: bytes } = one
  return bytes === undefined ? { device, atMs } : { device, atMs, statement: Uint8Array.from(bytes) }
}

function invalid(what: string, cause?: unknown): DidError {
  return new DidError('ERR_DEVICE_LIST_INVALID', `expected a device list with ${what}`, { cause })
}
