import { CID } from 'multiformats/cid'
import { errorCode, errorMessage } from '#contracts'
import { decodeCanonical, encodeCanonical, openEnvelope, sealEnvelope, type Did, type Signer } from '#did'
import { SIGNED_CAPSULE_BYTES_MAX } from './constants.ts'
import { CapsuleError } from './errors.ts'
import { isCapsuleName, isCapsuleVersion } from './manifest.ts'
import { printable } from './text.ts'

/** The domain of a capsule's envelope. */
export const CAPSULE_DOMAIN = 'elastos/capsule'
/** The type of a capsule's payload. */
export const CAPSULE_TYPE = 'release/1'
/** Version of the signed capsule block. */
export const SIGNED_CAPSULE_VERSION = 1

const DAG_PB = 0x70
const DAG_CBOR = 0x71
const SHA2_256 = 0x12

/** What is signed: all of a package by its root, and the place of it in its lineage. */
export interface CapsuleRelease {
  /** Root of the package folder (UnixFS, CIDv1, SHA-256). */
  readonly root: CID
  /** With the signer, the lineage. The same as in the manifest. */
  readonly name: string
  readonly version: string
  /** The signed capsule block this one follows; absent for the first. */
  readonly previous?: CID | undefined
}

/** A release whose signature holds. */
export interface VerifiedCapsule extends CapsuleRelease {
  /** Who signed it. */
  readonly publisher: Did
}

/** What a caller knows about a capsule before it looks at it. */
export interface CapsuleExpectation {
  readonly publisher?: Did | undefined
  readonly name?: string | undefined
}

/** What a CID that somebody wants to run names, told by its codec alone. */
export type CapsuleReference = 'signed' | 'package' | 'unknown'

/** Tells a signed capsule block from a bare package folder. A package has no signature. */
export function capsuleReference(cid: CID): CapsuleReference {
  if (cid.version !== 1 || cid.multihash.code !== SHA2_256) return 'unknown'
  if (cid.code === DAG_CBOR) return 'signed'
  return cid.code === DAG_PB ? 'package' : 'unknown'
}

/**
 * Signs a release and returns the bytes of its signed capsule block, a DAG-CBOR block
 * `{ version: 1, root, envelope }`. The link to the root lets whoever holds the block's CID fetch all of it.
 *
 * @throws CapsuleError `ERR_PACKAGE_INVALID` when the root or the lineage is not one that could be verified
 * @see docs/protocols/capsule.md
 */
export function signCapsule(publisher: Signer, release: CapsuleRelease): Uint8Array {
  checkRelease(release, (what) => new CapsuleError('ERR_PACKAGE_INVALID', what))
  const { root, name, version, previous } = release
  const envelope = sealEnvelope(publisher, {
    domain: CAPSULE_DOMAIN,
    type: CAPSULE_TYPE,
    payload: { root, name, version, previous: previous ?? null }
  })
  return encodeCanonical({ version: SIGNED_CAPSULE_VERSION, root, envelope })
}

/**
 * Verifies a signed capsule block: form, signature, that the signed root is the linked one, then what the caller
 * expects. Says nothing about the package itself, see {@link openPackage}.
 *
 * @throws CapsuleError `ERR_CAPSULE_UNSIGNED` when there is no envelope, `ERR_CAPSULE_TAMPERED` when anything does not
 * hold together, `ERR_CAPSULE_SIGNER` or `ERR_CAPSULE_NAME_MISMATCH` when it is not the one that was asked for
 */
export function verifyCapsule(
  signedBlockBytes: Uint8Array,
  expected: CapsuleExpectation = {}
): VerifiedCapsule {
  const block = decodeBlock(signedBlockBytes)
  const opened = open(block.envelope)
  const release = decodeRelease(opened.payload)
  if (!release.root.equals(block.root)) throw tampered('the signed root differs from the linked one')
  if (expected.publisher !== undefined && opened.signer !== expected.publisher) {
    throw new CapsuleError(
      'ERR_CAPSULE_SIGNER',
      `expected a capsule signed by ${expected.publisher}, got one signed by ${opened.signer}`
    )
  }
  if (expected.name !== undefined && release.name !== expected.name) {
    throw new CapsuleError(
      'ERR_CAPSULE_NAME_MISMATCH',
      `expected the capsule ${printable(expected.name, 80)}, got ${release.name}`
    )
  }
  return { ...release, publisher: opened.signer }
}

function decodeBlock(bytes: Uint8Array): { root: CID; envelope: Uint8Array } {
  let value: unknown
  try {
    value = decodeCanonical(bytes, { bytesMax: SIGNED_CAPSULE_BYTES_MAX })
  } catch (cause) {
    throw tampered('it is not canonical DAG-CBOR of a signed capsule', cause)
  }
  const fields = asFields(value)
  const { version, root, envelope } = fields
  if (envelope === undefined || envelope === null) {
    throw new CapsuleError('ERR_CAPSULE_UNSIGNED', 'expected a signed capsule, got one without a signature')
  }
  if (version !== SIGNED_CAPSULE_VERSION || Object.keys(fields).length !== 3) {
    throw tampered('it is not of version 1')
  }
  const link = CID.asCID(root)
  if (link === null || !(envelope instanceof Uint8Array)) throw tampered('it lacks a root or an envelope')
  return { root: link, envelope }
}

function open(envelope: Uint8Array): { signer: Did; payload: unknown } {
  try {
    return openEnvelope(envelope, {
      domain: CAPSULE_DOMAIN,
      type: CAPSULE_TYPE,
      bytesMax: SIGNED_CAPSULE_BYTES_MAX
    })
  } catch (cause) {
    const code = errorCode(cause)
    throw tampered(code === undefined ? errorMessage(cause) : `${errorMessage(cause)} (${code})`, cause)
  }
}

function decodeRelease(payload: unknown): CapsuleRelease {
  const fields = asFields(payload)
  const { name, version } = fields
  const root = CID.asCID(fields['root'])
  const previous = fields['previous'] === null ? undefined : CID.asCID(fields['previous'])
  const isWhole = root !== null && previous !== null && Object.keys(fields).length === 4
  if (!isWhole || typeof name !== 'string' || typeof version !== 'string') {
    throw tampered('its payload is not a release')
  }
  const release = { root, name, version, ...(previous === undefined ? {} : { previous }) }
  checkRelease(release, tampered)
  return release
}

function checkRelease(release: CapsuleRelease, error: (what: string) => CapsuleError): void {
  if (!isCapsuleName(release.name))
    throw error('expected a capsule name of lower-case letters, digits and hyphens')
  if (!isCapsuleVersion(release.version)) throw error('expected a semantic version such as 1.0.0')
  const kind = capsuleReference(release.root)
  if (kind !== 'package') throw error('expected the root of a folder, a CIDv1 of dag-pb and SHA-256')
  if (release.previous !== undefined && capsuleReference(release.previous) !== 'signed') {
    throw error('expected a previous release that is a signed capsule')
  }
}

function asFields(value: unknown): Record<string, unknown> {
  const isMap =
    typeof value === 'object' && value !== null && !Array.isArray(value) && CID.asCID(value) === null
  if (!isMap || value instanceof Uint8Array) throw tampered('it is not a map')
  return value as Record<string, unknown>
}

function tampered(what: string, cause?: unknown): CapsuleError {
  return new CapsuleError('ERR_CAPSULE_TAMPERED', `the capsule is not as it was signed: ${what}`, { cause })
}
