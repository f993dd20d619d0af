import { CodedError } from '#contracts'

/** Codes of {@link DidError} about keys and the names made from them. */
export type KeyErrorCode =
  // A seed, public key or path index has a wrong length or value.
  | 'ERR_KEY_INVALID'
  // Text that should be a did:key of an Ed25519 key is none, or is a second spelling of one.
  | 'ERR_DID_INVALID'
  // Text that should be the PeerId of an Ed25519 key is none.
  | 'ERR_PEER_ID_INVALID'
  // Text that should be the IPNS name of an Ed25519 key is none.
  | 'ERR_IPNS_NAME_INVALID'

/** Codes of {@link DidError} about canonical bytes and signed envelopes. */
export type EnvelopeErrorCode =
  // More bytes of DAG-CBOR than the reader allows.
  | 'ERR_CBOR_TOO_LARGE'
  // DAG-CBOR nested deeper, or with more items, than the reader allows.
  | 'ERR_CBOR_TOO_DEEP'
  // Bytes that are not the one encoding of a value.
  | 'ERR_CBOR_NOT_CANONICAL'
  // A value without a canonical form, such as a fraction or undefined.
  | 'ERR_CBOR_UNSUPPORTED'
  // An envelope larger than the reader allows.
  | 'ERR_ENVELOPE_TOO_LARGE'
  // Bytes that are no envelope.
  | 'ERR_ENVELOPE_MALFORMED'
  // An envelope of a format version this program does not know.
  | 'ERR_ENVELOPE_VERSION'
  // An envelope that belongs to another protocol, or a domain that cannot be one.
  | 'ERR_ENVELOPE_DOMAIN'
  // An envelope with another type of payload, or a type that cannot be one.
  | 'ERR_ENVELOPE_TYPE'
  // An envelope whose signature does not verify: the bytes were changed, or the signer did not sign them.
  | 'ERR_ENVELOPE_SIGNATURE'
  // A payload too large to sign, or signed bytes that are no canonical DAG-CBOR.
  | 'ERR_ENVELOPE_PAYLOAD'

/** Codes of {@link DidError} about recovery words. */
export type WordsErrorCode =
  // Not 24 words.
  | 'ERR_WORDS_COUNT'
  // Words that are not in the BIP-39 English list; the sentence says where.
  | 'ERR_WORDS_UNKNOWN'
  // Known words whose checksum fails: one is wrong or two are exchanged.
  | 'ERR_WORDS_CHECKSUM'

/** Codes of {@link DidError} about device certificates. */
export type CertificateErrorCode =
  // A certificate or statement whose content is not what it should be.
  | 'ERR_CERTIFICATE_INVALID'
  // A certificate for another device than the one that presents it.
  | 'ERR_CERTIFICATE_DEVICE'
  // A list of a person's devices whose content is not what it should be.
  | 'ERR_DEVICE_LIST_INVALID'

/** Codes of {@link DidError} about files that only their user may read. */
export type FileErrorCode =
  // There is no such file.
  | 'ERR_FILE_MISSING'
  // A file that must be new exists already.
  | 'ERR_FILE_EXISTS'
  // A secret file or its folder can be read by others; the sentence has the command that mends it.
  | 'ERR_FILE_EXPOSED'
  // A secret file or its folder belongs to somebody else.
  | 'ERR_FILE_OWNER'
  // A link, a pipe or a folder where a plain file should be.
  | 'ERR_FILE_KIND'
  // A file larger than it can be.
  | 'ERR_FILE_TOO_LARGE'
  // The operating system refused: a full disk, no permission.
  | 'ERR_FILE_IO'

/** Codes of {@link DidError} about the keystore, its passphrase and its exports. */
export type KeystoreErrorCode =
  // There is no keystore in the folder.
  | 'ERR_KEYSTORE_MISSING'
  // There is a keystore already, and it is never overwritten.
  | 'ERR_KEYSTORE_EXISTS'
  // The keystore is damaged or of a format this program does not know.
  | 'ERR_KEYSTORE_CORRUPT'
  // A key is needed that is under a passphrase.
  | 'ERR_KEYSTORE_LOCKED'
  // Another process is changing the keystore.
  | 'ERR_KEYSTORE_BUSY'
  // The recovery words were forgotten on this device, as they should be.
  | 'ERR_KEYSTORE_ROOT_ABSENT'
  // This device does not hold the key that publishes.
  | 'ERR_KEYSTORE_PUBLISHING_ABSENT'
  // A passphrase that is empty or too long.
  | 'ERR_PASSPHRASE_INVALID'
  // A passphrase that does not open what it should.
  | 'ERR_PASSPHRASE_WRONG'
  // An export to a stream or a device instead of a new file.
  | 'ERR_EXPORT_TARGET'
  // Neither words nor the person key are on this device.
  | 'ERR_EXPORT_NOTHING'
  // A file that is no whole identity export.
  | 'ERR_EXPORT_INVALID'
  // An identity export that needs its passphrase.
  | 'ERR_EXPORT_LOCKED'

/** Every code a {@link DidError} can carry. */
export type DidErrorCode =
  KeyErrorCode | EnvelopeErrorCode | WordsErrorCode | CertificateErrorCode | FileErrorCode | KeystoreErrorCode

/** The error of this folder: what was expected of a key, a name, an envelope or a keystore, and what came. */
export class DidError extends CodedError<DidErrorCode> {}
