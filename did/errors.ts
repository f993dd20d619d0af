import { CodedError } from '#contracts'

/** Codes of {@link DidError} about keys and the names made from them. */
export type KeyErrorCode =
  'ERR_KEY_INVALID' | 'ERR_DID_INVALID' | 'ERR_PEER_ID_INVALID' | 'ERR_IPNS_NAME_INVALID'

/** Codes of {@link DidError} about canonical bytes and signed envelopes. */
export type EnvelopeErrorCode =
  | 'ERR_CBOR_TOO_LARGE'
  | 'ERR_CBOR_TOO_DEEP'
  | 'ERR_CBOR_NOT_CANONICAL'
  | 'ERR_CBOR_UNSUPPORTED'
  | 'ERR_ENVELOPE_TOO_LARGE'
  | 'ERR_ENVELOPE_MALFORMED'
  | 'ERR_ENVELOPE_VERSION'
  | 'ERR_ENVELOPE_DOMAIN'
  | 'ERR_ENVELOPE_TYPE'
  | 'ERR_ENVELOPE_SIGNATURE'
  | 'ERR_ENVELOPE_PAYLOAD'

/** Codes of {@link DidError} about recovery words. */
export type WordsErrorCode = 'ERR_WORDS_COUNT' | 'ERR_WORDS_UNKNOWN' | 'ERR_WORDS_CHECKSUM'

/** Codes of {@link DidError} about device certificates. */
export type CertificateErrorCode = 'ERR_CERTIFICATE_INVALID' | 'ERR_CERTIFICATE_DEVICE'

/** Codes of {@link DidError} about files that only their user may read. */
export type FileErrorCode =
  | 'ERR_FILE_MISSING'
  | 'ERR_FILE_EXISTS'
  | 'ERR_FILE_EXPOSED'
  | 'ERR_FILE_OWNER'
  | 'ERR_FILE_KIND'
  | 'ERR_FILE_TOO_LARGE'
  | 'ERR_FILE_IO'

/** Codes of {@link DidError} about the keystore, its passphrase and its exports. */
export type KeystoreErrorCode =
  | 'ERR_KEYSTORE_MISSING'
  | 'ERR_KEYSTORE_EXISTS'
  | 'ERR_KEYSTORE_CORRUPT'
  | 'ERR_KEYSTORE_LOCKED'
  | 'ERR_KEYSTORE_BUSY'
  | 'ERR_KEYSTORE_ROOT_ABSENT'
  | 'ERR_KEYSTORE_PUBLISHING_ABSENT'
  | 'ERR_PASSPHRASE_INVALID'
  | 'ERR_PASSPHRASE_WRONG'
  | 'ERR_EXPORT_TARGET'
  | 'ERR_EXPORT_NOTHING'
  | 'ERR_EXPORT_INVALID'
  | 'ERR_EXPORT_LOCKED'

/** Every code a {@link DidError} can carry. */
export type DidErrorCode =
  KeyErrorCode | EnvelopeErrorCode | WordsErrorCode | CertificateErrorCode | FileErrorCode | KeystoreErrorCode

/** The error of this folder: what was expected of a key, a name, an envelope or a keystore, and what came. */
export class DidError extends CodedError<DidErrorCode> {}
