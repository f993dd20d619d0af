/** Bytes of an Ed25519 seed (RFC 8032 §5.1.5: the private key). */
export const SEED_BYTES = 32
/** Bytes of an Ed25519 public key. */
export const PUBLIC_KEY_BYTES = 32
/** Bytes of an Ed25519 signature. */
export const SIGNATURE_BYTES = 64

/** Signatures that were found valid lately and are remembered, by their SHA-256: about a megabyte. */
export const VERIFIED_MAX = 8_192
/** Largest signed bytes of which that is remembered. */
export const VERIFIED_BYTES_MAX: number = 16 * 1024

/** Longest did, PeerId or IPNS name that is looked at; the real ones are 52 to 62 characters. */
export const KEY_NAME_CHARS_MAX = 128
/** Keys whose did, PeerId and IPNS name are remembered, of each kind. */
export const KEY_NAMES_MAX = 4_096

/** Nesting allowed in decoded canonical DAG-CBOR. */
export const CBOR_DEPTH_MAX = 32
/** Data items (values, keys, containers) allowed in one decoded block of canonical DAG-CBOR. */
export const CBOR_ITEMS_MAX = 200_000

/** Version of the envelope format; the first element of every envelope. */
export const ENVELOPE_VERSION = 1
/** First element of the bytes an envelope's signature covers. */
export const ENVELOPE_SIGNING_CONTEXT = 'elastos/envelope/1'
/** Longest domain or payload type of an envelope, in UTF-8 bytes. */
export const ENVELOPE_LABEL_BYTES_MAX = 128
/** Room an envelope needs besides its payload: heads, labels, signer and signature. */
export const ENVELOPE_OVERHEAD_BYTES_MAX = 512
/** Largest payload {@link sealEnvelope} signs; most readers allow far less. */
export const ENVELOPE_PAYLOAD_BYTES_MAX = 1_048_576

/** Entropy behind the recovery words; BIP-39 calls it ENT. */
export const ROOT_ENTROPY_BYTES = 32
/** Recovery words a person writes down. */
export const WORD_COUNT = 24
/** Longest text that is read as recovery words. */
export const WORDS_CHARS_MAX = 1024
/** Words asked back to see that they were written down. */
export const WORD_QUIZ_COUNT = 3

/** First index of every path of ours: the letters `elas` as a number, so that no wallet's tree is met. */
export const KEY_PATH_PURPOSE = 0x656c6173
/** Second index: what a key is for. Only `person` is in use; the others are reserved. */
export const KEY_PATH_ROLE = { person: 0, persona: 1, release: 2, encryption: 3 } as const
/** `m/1701601651'/0'/0'`, the person key. */
export const PERSON_KEY_PATH: readonly number[] = [KEY_PATH_PURPOSE, KEY_PATH_ROLE.person, 0]

/** Envelope domain of statements about who somebody is. */
export const IDENTITY_DOMAIN = 'elastos/identity'
/** Longest device name. */
export const DEVICE_NAME_CHARS_MAX = 64
/** Largest device certificate that is read. */
export const CERTIFICATE_BYTES_MAX = 1024
/** Largest device statement that is read. */
export const DEVICE_STATEMENT_BYTES_MAX = 2048
/** Devices of one person that may speak for it, on its list. */
export const DEVICES_LISTED_MAX = 16
/** Devices of one person that were revoked: they stay on its list for ever. */
export const DEVICES_REVOKED_MAX = 96
/** Largest device list that is read; a statement takes about 600 bytes. */
export const DEVICE_LIST_BYTES_MAX: number = 96 * 1024

/** The end of every temporary file, so that what a killed process left can be found and removed. */
export const TEMPORARY_SUFFIX = '.tmp'
/** The keystore's one file. */
export const KEYSTORE_FILE_NAME = 'identity.json'
/** The lock of whoever changes it. */
export const KEYSTORE_LOCK_NAME = 'identity.lock'
/** Largest keystore file that is read. */
export const KEYSTORE_FILE_BYTES_MAX = 16_384
/** Largest identity export that is read. */
export const EXPORT_FILE_BYTES_MAX = 16_384
/** Largest writer lock that is read. */
export const WRITER_LOCK_BYTES_MAX = 128

/** Longest passphrase, in UTF-8 bytes. */
export const PASSPHRASE_BYTES_MAX = 1024
/** argon2id cost of new locks: the second recommended option of RFC 9106 §4. */
export const ARGON2_DEFAULTS = { memoryKib: 65_536, passes: 3, parallelism: 4 } as const
/** argon2id cost that is accepted from a file. */
export const ARGON2_LIMITS = {
  memoryKibMin: 64,
  memoryKibMax: 262_144,
  passesMax: 16,
  parallelismMax: 16
} as const
