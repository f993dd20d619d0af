/** Bytes of one pack at most: what a collection reads and writes again at a time, and what a crash may have to scan. */
export const PACK_BYTES_MAX: number = 128 * 1024 * 1024

/** Records of one pack at most, so that its index file stays below 6 MiB. */
export const PACK_RECORDS_MAX: number = 65_536

/** Packs at most: 128 TiB. */
export const PACKS_MAX: number = 1_048_576

/** Pack files open for reading at the same time. */
export const OPEN_PACKS_MAX: number = 32

/** Bytes of one write to a pack, and of one read of blocks that lie together, about. */
export const RUN_BYTES_MAX: number = 4 * 1024 * 1024

/** Bytes of small records that are read, and hashed, without a pause for whatever else the program does. */
export const SCAN_BYTES: number = 256 * 1024

/** Records of one write to a pack: each is two parts of a vector, and Linux takes 1024. */
export const RUN_RECORDS_MAX: number = 500

/** Bytes that one `putMany` has under way at most. */
export const PUT_MANY_BYTES_MAX: number = 8 * 1024 * 1024

/** Durable bytes after which they are forced to the disk behind the writer's back. */
export const SYNC_BYTES: number = 32 * 1024 * 1024

/** Durable bytes not yet on the disk at most; a put beyond that waits. */
export const UNSYNCED_BYTES_MAX: number = 128 * 1024 * 1024

/** Blocks from this size on are checked by AES-GMAC, which is nine times as fast as SHA-256; smaller ones by their hash. */
export const CHECKSUM_BYTES_MIN: number = 16 * 1024

/** Share of a pack that must be dead before the rest is written anew elsewhere. */
export const DEAD_RATIO_MIN: number = 0.25

/** Blocks about which a collection asks at the same time. */
export const COLLECT_PARALLEL: number = 32

/** Packs whose index files are read at the same time when the store opens. */
export const OPEN_PARALLEL: number = 8

/** Sealed packs below this size count as small. */
export const SMALL_PACK_BYTES: number = PACK_BYTES_MAX / 8

/** Small packs at most; beyond that a collection joins them. */
export const SMALL_PACKS_MAX: number = 16

/** Blocks that one `putMany` has under way at most. */
export const PUT_MANY_BLOCKS_MAX: number = 1000
