/** Bytes of an Ed25519 seed (RFC 8032 §5.1.5: the private key). */
export const SEED_BYTES = 32
/** Bytes of an Ed25519 public key. */
export const PUBLIC_KEY_BYTES = 32
/** Bytes of an Ed25519 signature. */
export const SIGNATURE_BYTES = 64

/** Longest did, PeerId or IPNS name that is looked at; the real ones are 52 to 62 characters. */
export const KEY_NAME_CHARS_MAX = 128

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
