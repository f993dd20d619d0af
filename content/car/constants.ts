/** Bytes of a CAR's header at most. */
export const CAR_HEADER_BYTES_MAX: number = 64 * 1024

/** Roots of a CAR at most. */
export const CAR_ROOTS_MAX: number = 256

/** Bytes of a CID in a CAR at most: version, codec, hash code and length as varints, and 64 bytes of digest. */
export const CAR_CID_BYTES_MAX: number = 128

/** Blocks of one CAR that is written at most; each is remembered so that none comes twice. */
export const CAR_BLOCKS_MAX: number = 4_000_000

/** Bytes read from a CAR, or collected for it, at a time. */
export const CAR_BUFFER_BYTES: number = 1024 * 1024
