/** Version of the token format; the first element of every token. */
export const TOKEN_VERSION = 1
/** First element of the bytes a token's signature covers. */
export const TOKEN_SIGNING_CONTEXT = 'elastos/capability/1'
/** Largest token that is read; most take 230 to 280 bytes. */
export const TOKEN_BYTES_MAX = 2048
/** Nesting of a token's DAG-CBOR: the array, the claims, their values, the CID in its tag. */
export const TOKEN_NESTING_MAX = 3
/** DAG-CBOR data items of a token: 3 elements, 11 claims of a key and a value, a tagged CID, the array itself. */
export const TOKEN_ITEMS_MAX = 32
/** Bytes of the random nonce by which two tokens for the same thing differ. */
export const TOKEN_NONCE_BYTES = 12
/** Most links of a chain, the root included. */
export const CHAIN_LINKS_MAX = 8
/** Largest use count and largest epoch. */
export const TOKEN_COUNTER_MAX = 4_294_967_295

/** Longest command, `provider/verb`. */
export const COMMAND_CHARS_MAX = 65
/** Longest resource, in UTF-8 bytes. */
export const RESOURCE_BYTES_MAX = 1024
/** Longest path segment of a resource, in UTF-8 bytes. */
export const RESOURCE_SEGMENT_BYTES_MAX = 255
/** Most path segments of a resource. */
export const RESOURCE_SEGMENTS_MAX = 64

/** Chains a verifier remembers as structurally sound. */
export const VERIFIED_CHAINS_MAX = 4096
