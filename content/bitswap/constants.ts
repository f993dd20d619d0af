/** The newest dialect: WANT-HAVE, HAVE and DONT_HAVE. */
export const BITSWAP_120 = '/ipfs/bitswap/1.2.0'
/** The dialect before presences: blocks carry their CID prefix. */
export const BITSWAP_110 = '/ipfs/bitswap/1.1.0'
/** The first dialect: blocks are bare bytes and every hash is SHA2-256. */
export const BITSWAP_100 = '/ipfs/bitswap/1.0.0'
/** What we speak, the preferred first. */
export const BITSWAP_PROTOCOLS: readonly string[] = [BITSWAP_120, BITSWAP_110, BITSWAP_100]

/** The largest message sent or accepted, without its length prefix; what Kubo accepts. */
export const MESSAGE_BYTES_MAX: number = 4 * 1024 * 1024

/** The longest CID accepted in a message: room for a 64-byte digest or a small identity CID. */
export const CID_BYTES_MAX = 160
/** The longest block prefix: four varints of at most nine bytes. */
export const PREFIX_BYTES_MAX = 36
/** Wants of one message that are read; what follows is walked over and forgotten. */
export const MESSAGE_WANTS_MAX = 16_384
/** Presences of one message that are read; what follows is walked over and forgotten. */
export const MESSAGE_PRESENCES_MAX = 16_384
/** Blocks of one message that are read; what follows is walked over and forgotten. */
export const MESSAGE_BLOCKS_MAX = 4_096
/** How long hole punching may take to replace a relayed connection before blocks go over the relay, in milliseconds. */
export const DIRECT_WAIT_MS = 3_000
