import { isDeepStrictEqual } from 'node:util'
import {
  decodeMlsMessage,
  encodeMlsMessage,
  generateKeyPackageWithKey,
  type Capabilities,
  type KeyPackage,
  type PrivateKeyPackage
} from 'ts-mls'
import { makeKeyPackageRef, verifyKeyPackage } from 'ts-mls/keyPackage.js'
import { verifyLeafNodeSignatureKeyPackage } from 'ts-mls/leafNode.js'
import { decodeCanonical, encodeCanonical, openEnvelope, sealEnvelope, type Did, type Signer } from '#did'
import { RoomError } from '../errors.ts'
import { isCount, readMap } from '../wire.ts'
import {
  INFO_EXTENSION,
  PREKEYS_BYTES_MAX,
  PREKEYS_COUNT,
  PREKEYS_TYPE,
  PREKEY_BYTES_MAX,
  PREKEY_EXTENSION,
  PREKEY_LIFETIME_MS,
  PRIVATE_PROTOCOL
} from './constants.ts'
import { readCredential, SUITE_NAME, type DeviceOfPerson, type Suite } from './suite.ts'

const CAPABILITIES: Capabilities = {
  versions: ['mls10'],
  ciphersuites: [SUITE_NAME],
  extensions: [INFO_EXTENSION],
  proposals: [],
  credentials: ['basic']
}
/** Of a key package: until when it may be used is said by our extension. */
const LIFETIME = { notBefore: 0n, notAfter: 0x7fff_ffff_ffff_ffffn }
const KEY_BYTES = 32

/** A prekey of somebody, verified: the key package by which their device is taken into a group. */
export interface Prekey extends DeviceOfPerson {
  readonly bytes: Uint8Array
  /** The reference of RFC 9420 §5.2 as hexadecimal digits; a welcome names it. */
  readonly ref: string
  readonly keyPackage: KeyPackage
  readonly expiresAtMs: number
  /** Given out again and again when no other is left: whoever was taken in by it soon renews its keys. */
  readonly isLastResort: boolean
}

/** A prekey of this device, with its secrets. */
export interface OwnPrekey {
  readonly bytes: Uint8Array
  readonly ref: string
  readonly initPrivateKey: Uint8Array
  readonly hpkePrivateKey: Uint8Array
  readonly expiresAtMs: number
  readonly isLastResort: boolean
  /** When it took this device into a group; its secrets are forgotten soon after, but for the last resort's. */
  readonly usedAtMs?: number
}

/** The prekeys of a device, as it publishes them. */
export interface PublishedPrekeys {
  readonly device: Did
  /** The newest statement of a device is the one that counts. */
  readonly issuedAtMs: number
  /** Key packages, the last resort last. */
  readonly prekeys: readonly Uint8Array[]
}

/** Makes a prekey of this device. */
export async function createPrekey(
  suite: Suite,
  { nowMs, isLastResort }: { readonly nowMs: number; readonly isLastResort: boolean }
): Promise<OwnPrekey> {
  const expiresAtMs = nowMs + PREKEY_LIFETIME_MS
  const { publicPackage, privatePackage } = await newKeyPackage(suite, { expiresAtMs, isLastResort })
  const bytes = encodeMlsMessage({
    version: 'mls10',
    wireformat: 'mls_key_package',
    keyPackage: publicPackage
  })
  const { initPrivateKey, hpkePrivateKey } = privatePackage
  const ref = await refOf(suite, publicPackage)
  return { bytes, ref, initPrivateKey, hpkePrivateKey, expiresAtMs, isLastResort }
}

/** A fresh key package of this device and its secrets. The signature key is the signer's: there is none in it. */
export async function newKeyPackage(
  suite: Suite,
  says: { readonly expiresAtMs: number; readonly isLastResort: boolean }
): Promise<{ publicPackage: KeyPackage; privatePackage: PrivateKeyPackage }> {
  const { expiresAtMs, isLastResort } = says
  const extensionData = encodeCanonical({ expiresAtMs, isLastResort })
  return await generateKeyPackageWithKey(
    suite.credential,
    CAPABILITIES,
    LIFETIME,
    [{ extensionType: PREKEY_EXTENSION, extensionData }],
    { signKey: new Uint8Array(), publicKey: suite.publicKey },
    suite.cipherSuite
  )
}

/**
 * Verifies a prekey that somebody handed over.
 *
 * @throws RoomError `ERR_PRIVATE_MALFORMED`; `ERR_PRIVATE_FOREIGN` when a signature or the certificate does not hold;
 * `ERR_PRIVATE_STALE` after its time
 */
export async function readPrekey(suite: Suite, bytes: Uint8Array, nowMs: number): Promise<Prekey> {
  const keyPackage = decodeKeyPackage(bytes)
  const { cipherSuite: name, version, leafNode } = keyPackage
  const says = readSays(keyPackage)
  if (name !== SUITE_NAME || version !== 'mls10') throw malformed('a prekey of our suite')
  if (keyPackage.initKey.length !== KEY_BYTES || leafNode.hpkePublicKey.length !== KEY_BYTES)
    throw malformed('keys of 32 bytes')
  if (!isOfOurKind(keyPackage)) throw malformed('the capabilities and the lifetime of every prekey')
  const known = readCredential(leafNode.credential, leafNode.signaturePublicKey)
  const { signature } = suite.cipherSuite
  const isSigned =
    known !== undefined &&
    (await verifyLeafNodeSignatureKeyPackage(leafNode, signature)) &&
    (await verifyKeyPackage(keyPackage, signature)) &&
    suite.isAllowed(known)
  if (!isSigned) throw new RoomError('ERR_PRIVATE_FOREIGN', 'expected a prekey of a certified device')
  if (says.expiresAtMs <= nowMs || says.expiresAtMs > nowMs + 2 * PREKEY_LIFETIME_MS)
    throw new RoomError('ERR_PRIVATE_STALE', 'expected a prekey within its time')
  await assertUsable(suite, keyPackage)
  return { ...known, ...says, bytes, keyPackage, ref: await refOf(suite, keyPackage) }
}

/** MLS refuses a whole commit for one key package that does not fit: what could differ from ours is refused before. */
function isOfOurKind({ initKey, leafNode }: KeyPackage): boolean {
  const { capabilities, leafNodeSource, extensions, hpkePublicKey } = leafNode
  const { versions, ciphersuites, proposals, credentials } = capabilities
  const says = { versions, ciphersuites, extensions: capabilities.extensions, proposals, credentials }
  return (
    isDeepStrictEqual(says, CAPABILITIES) &&
    leafNodeSource === 'key_package' &&
    isDeepStrictEqual({ ...leafNode.lifetime }, LIFETIME) &&
    extensions.length === 0 &&
    Buffer.compare(initKey, hpkePublicKey) !== 0
  )
}

/** Points of small order are keys by their length, but nothing can be encrypted for them (RFC 9180 §7.1.4). */
async function assertUsable({ cipherSuite }: Suite, { initKey, leafNode }: KeyPackage): Promise<void> {
  const { hpke } = cipherSuite
  const nothing = new Uint8Array()
  try {
    for (const key of [initKey, leafNode.hpkePublicKey])
      await hpke.seal(await hpke.importPublicKey(key), nothing, nothing)
  } catch (cause) {
    throw malformed('keys that can be encrypted for', cause)
  }
}

/** Signs what prekeys this device has, for those who give them out. */
export function sealPrekeys(signer: Signer, published: Omit<PublishedPrekeys, 'device'>): Uint8Array {
  const payload = { issuedAtMs: published.issuedAtMs, prekeys: [...published.prekeys] }
  return sealEnvelope(signer, { domain: PRIVATE_PROTOCOL, type: PREKEYS_TYPE, payload })
}

/**
 * Reads the prekeys a device published. Each of them is still to be verified by who uses it.
 *
 * @throws RoomError `ERR_PRIVATE_MALFORMED`
 */
export function openPrekeys(bytes: Uint8Array): PublishedPrekeys {
  const expected = { domain: PRIVATE_PROTOCOL, type: PREKEYS_TYPE, bytesMax: PREKEYS_BYTES_MAX }
  let opened: ReturnType<typeof openEnvelope>
  try {
    opened = openEnvelope(bytes, expected)
  } catch (cause) {
    throw malformed('prekeys signed by their device', cause)
  }
  const map = readMap(opened.payload, ['issuedAtMs', 'prekeys'])
  if (map === undefined || !isCount(map['issuedAtMs']) || !Array.isArray(map['prekeys']))
    throw malformed('a time and prekeys')
  const prekeys = map['prekeys'] as unknown[]
  if (prekeys.length === 0 || prekeys.length > PREKEYS_COUNT + 1 || !prekeys.every(isPrekeyBytes))
    throw malformed(`1 to ${PREKEYS_COUNT + 1} prekeys`)
  return { device: opened.signer, issuedAtMs: map['issuedAtMs'], prekeys }
}

/** The key package in the bytes of a prekey. @throws RoomError `ERR_PRIVATE_MALFORMED` */
export function decodeKeyPackage(bytes: Uint8Array): KeyPackage {
  if (!isPrekeyBytes(bytes)) throw malformed(`a prekey of at most ${PREKEY_BYTES_MAX} bytes`)
  let decoded: ReturnType<typeof decodeMlsMessage>
  try {
    decoded = decodeMlsMessage(bytes, 0)
  } catch (cause) {
    throw malformed('a key package', cause)
  }
  if (decoded?.[1] !== bytes.length || decoded[0].wireformat !== 'mls_key_package')
    throw malformed('a key package')
  return decoded[0].keyPackage
}

async function refOf(suite: Suite, keyPackage: KeyPackage): Promise<string> {
  return Buffer.from(await makeKeyPackageRef(keyPackage, suite.cipherSuite.hash)).toString('hex')
}

function readSays({ extensions }: KeyPackage): { expiresAtMs: number; isLastResort: boolean } {
  const [extension, ...more] = extensions
  if (extension?.extensionType !== PREKEY_EXTENSION || more.length > 0) throw malformed('one extension')
  let value: unknown
  try {
    value = decodeCanonical(extension.extensionData, { bytesMax: 64 })
  } catch (cause) {
    throw malformed('what a prekey says', cause)
  }
  const map = readMap(value, ['expiresAtMs', 'isLastResort'])
  const { expiresAtMs, isLastResort } = map ?? {}
  if (!isCount(expiresAtMs) || typeof isLastResort !== 'boolean') throw malformed('what a prekey says')
  return { expiresAtMs, isLastResort }
}

function isPrekeyBytes(value: unknown): value is Uint8Array {
  return value instanceof Uint8Array && value.length > 0 && value.length <= PREKEY_BYTES_MAX
}

function malformed(what: string, cause?: unknown): RoomError {
  return new RoomError('ERR_PRIVATE_MALFORMED', `expected ${what}`, { cause })
}
