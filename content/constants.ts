/** Bytes of one block at most, what every IPFS implementation accepts (the bitswap specification's 2 MiB). */
export const BLOCK_BYTES_MAX: number = 2 * 1024 * 1024

/** Bytes of a leaf of the files we add: the `unixfs-v1-2025` profile of IPIP-499, Kubo's 1 MiB. */
export const CHUNK_BYTES: number = 1024 * 1024

/** Bytes of a folder's block beyond which the folder is sharded (IPIP-499). */
export const FOLDER_BLOCK_BYTES_MAX: number = 256 * 1024

/** Bytes of a hash digest in a CID at least: shorter ones could be forged. */
export const DIGEST_BYTES_MIN: number = 20

/** Bytes of a hash digest in a CID at most; also the most an identity CID may carry inline. */
export const DIGEST_BYTES_MAX: number = 128

/** Characters of a CID path (`CID/a/b`) at most. */
export const CID_PATH_CHARS_MAX: number = 8192
/** Characters of what is no CID that an error repeats. */
export const REPEATED_CHARS_MAX: number = 60

/** Bytes (UTF-8) of one entry name at most: what common file systems take. */
export const NAME_BYTES_MAX: number = 255

/** Bytes (UTF-8) of the target of a symbolic link at most. */
export const LINK_TARGET_BYTES_MAX: number = 4096

/** Folders inside folders at most, and levels of a file's or a sharded folder's tree at most. */
export const DEPTH_MAX: number = 64

/** Files and folders of one add or get at most. */
export const ENTRIES_MAX: number = 1_000_000

/** Blocks with links (folders and inner nodes of files) of one DAG at most. */
export const DAG_NODES_MAX: number = 2_000_000

/** Blocks that one walk of a tree passes at most, counting one that comes again each time. */
export const DAG_VISITS_MAX: number = 16_000_000

/** Bytes that one get may write unless the caller says otherwise; a DAG of few blocks can name many bytes. */
export const GET_BYTES_MAX: number = 256 * 1024 ** 3

/** Files from this size on are compared with the free disk before they are fetched. */
export const ROOM_CHECK_BYTES_MIN: number = 16 * 1024 * 1024

/** Blocks fetched ahead of the one that is being written; times `BLOCK_BYTES_MAX` is the memory of a get. */
export const READ_AHEAD_BLOCKS: number = 16

/** Blocks with links from this size on have the first of them looked for and fetched before the others are decoded. */
export const LATE_STEPS_BYTES_MIN: number = 8 * 1024

/** How long the others wait for that at most. */
export const LATE_STEPS_AFTER_MS = 10

/** Leaves of a file hashed and written at the same time while adding. */
export const ADD_BLOCKS_PARALLEL: number = 4

/** Small files read at the same time while adding. */
export const ADD_FILES_PARALLEL: number = 8

/** Keys of one write batch to the datastore. */
export const INDEX_BATCH_KEYS: number = 512

/** Pins at most; their records are held in memory, about 300 bytes each. */
export const PINS_MAX: number = 200_000

/** Readers that one private pin may be shared with at most. */
export const PIN_READERS_MAX: number = 256

/** Characters of a pin's name at most. */
export const PIN_NAME_CHARS_MAX: number = 256

/** Bytes of a pin record at most. */
export const PIN_RECORD_BYTES_MAX: number = 64 * 1024

/** Unfinished gets whose blocks are kept for a second run; beyond that the oldest becomes ordinary cache. */
export const UNFINISHED_GETS_MAX: number = 64

/** How long the blocks of an unfinished get are kept from garbage collection. */
export const UNFINISHED_GET_KEPT_MS: number = 7 * 24 * 60 * 60 * 1000

/** Multihashes that garbage collection may hold in memory for unfinished gets. */
export const GC_MARKS_MAX: number = 4_000_000

/** How long a get waits for its first block. */
export const FIND_TIMEOUT_MS: number = 30_000

/** How long a get waits for the next block after it had some. */
export const STALL_TIMEOUT_MS: number = 60_000

/** How long one announcement to the DHT may take. */
export const PROVIDE_TIMEOUT_MS: number = 60_000

/** How long an add waits for its announcement before it says `pending`; trying goes on behind it. */
export const ANNOUNCE_WAIT_MS: number = 10_000

/** Public roots are announced again after this; provider records live 48 h and Kubo's interval is 22 h. */
export const REPROVIDE_INTERVAL_MS: number = 22 * 60 * 60 * 1000

/** Share of the interval by which a round may come earlier, so that nodes do not move in step. */
export const REPROVIDE_JITTER_RATIO: number = 0.1

/** Roots announced at the same time. */
export const REPROVIDE_PARALLEL: number = 4

/** First and longest wait before announcements that failed are tried again. */
export const REPROVIDE_RETRY_MS: { readonly first: number; readonly max: number } = {
  first: 2_000,
  max: 10 * 60 * 1000
}

/** Bytes of a block that {@link Content.getBlock} and {@link Content.putBlock} handle at most. */
export const SMALL_BLOCK_BYTES_MAX: number = 1024 * 1024

/** How long after its start a node rehearses a fetch: when it has announced itself, and one that ends soon never does. */
export const REHEARSAL_DELAY_MS = 2_000
