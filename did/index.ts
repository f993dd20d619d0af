/**
 * Who somebody is: Ed25519 keys, their names (`did:key`, PeerId, IPNS name), signed envelopes, recovery words, and
 * the keystore of a device.
 *
 * @example
 * ```ts
 * import { systemRandom } from '#contracts'
 * import { createKeyPair, openEnvelope, sealEnvelope } from '#did'
 *
 * const alice = createKeyPair(systemRandom)
 * const sealed = sealEnvelope(alice, { domain: 'elastos/example', type: 'greeting/1', payload: { text: 'hello' } })
 * const opened = openEnvelope(sealed, { domain: 'elastos/example', type: 'greeting/1', bytesMax: 1024 })
 * console.log(opened.signer === alice.did, opened.payload)
 * ```
 *
 * @packageDocumentation
 */
export { DidError } from './errors.ts'
export type {
  CertificateErrorCode,
  DidErrorCode,
  EnvelopeErrorCode,
  FileErrorCode,
  KeyErrorCode,
  KeystoreErrorCode,
  WordsErrorCode
} from './errors.ts'
export { createKeyPair, keyPairFromSeed, verifySignature } from './keys.ts'
export type { KeyPair, Signer } from './keys.ts'
export { verifySignatureOnce } from './verified.ts'
export {
  didFromIpnsName,
  didFromPeerId,
  didFromPublicKey,
  ipnsNameFromDid,
  parseDid,
  peerIdFromDid,
  publicKeyFromDid
} from './did.ts'
export type { Did } from './did.ts'
export { decodeCanonical, encodeCanonical } from './canonical.ts'
export type { CanonicalBounds } from './canonical.ts'
export { envelopeBytesMax, openEnvelope, sealEnvelope } from './envelope.ts'
export type { EnvelopeExpectation, EnvelopeInit, EnvelopeLabels, OpenedEnvelope } from './envelope.ts'
export { createWordQuiz, createWords, keysFromWords } from './words.ts'
export type { WordKeys, WordQuiz } from './words.ts'
export {
  certifyDevice,
  openCertificate,
  openDeviceStatement,
  personOfDevice,
  stateDevice
} from './certificate.ts'
export type { DeviceCertificate, DeviceClaim, DeviceStatement } from './certificate.ts'
export { openDeviceList, signDeviceList } from './device-list.ts'
export type { DeviceList, DeviceListClaim, ListedDevice } from './device-list.ts'
export { DEVICE_LIST_BYTES_MAX, DEVICES_LISTED_MAX, DEVICES_REVOKED_MAX } from './constants.ts'
export {
  adoptKeystore,
  createKeystore,
  openKeystore,
  readIdentity,
  recoverKeystore
} from './open-keystore.ts'
export type {
  ExportOptions,
  IdentitySummary,
  Keystore,
  KeystoreComponents,
  KeystoreInit,
  KeystoreStatus,
  OpenKeystoreOptions,
  RecoverInit,
  RecoverySource,
  SecretState
} from './keystore.ts'
export { ensurePrivateFolder, readPrivateFile, removeLeftovers, writePrivateFile } from './private-file.ts'
export type { PrivateFiles, PrivateFileStat, PrivatePath, PrivateWrite } from './private-file.ts'
export type { Argon2Cost } from './secret-box.ts'
export { systemPrivateFiles } from './powers.ts'
