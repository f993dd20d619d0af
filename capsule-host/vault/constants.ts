const KIB = 1024
const MIB = 1024 * KIB

/** Bytes of a unit: what a vault file is divided into, and the least that is allocated. */
export const UNIT_BYTES: number = 4 * KIB
/** Plain bytes of one chunk of a file. */
export const CHUNK_BYTES: number = 64 * KIB
/** Units of a whole chunk. */
export const CHUNK_UNITS: number = CHUNK_BYTES / UNIT_BYTES
/** References one index page holds: 256 chunks, 16 MiB of a file. */
export const INDEX_FANOUT = 256
/** Levels of index pages above the chunks: enough for 4 PiB, more than any quota. */
export const INDEX_LEVELS_MAX = 4
/** Bytes of one page of the tree of entries: a unit, so that any free unit will do for it. */
export const PAGE_BYTES_MAX: number = 4 * KIB
/** Bytes below which a page of that tree is joined with its neighbour. */
export const PAGE_BYTES_LOW: number = 1 * KIB
/** Units at the front of a vault file that hold its heads: two slots, each twice. */
export const HEAD_UNITS = 4
/** Units kept free for what has no choice, so that something can be removed when the disk is full. */
export const RESERVE_UNITS = 64
/** Units a vault file may have: 4 TiB. */
export const UNITS_MAX: number = 2 ** 30

/** Bytes of one file, holes included. */
export const FILE_BYTES_MAX: number = 2 ** 40
/** Bytes one read or write may carry. */
export const TRANSFER_BYTES_MAX: number = 4 * MIB
/** Open handles of one root. */
export const HANDLES_MAX = 1024
/** Calls that may wait for one root. */
export const WAITING_CALLS_MAX = 4096
/** Characters of a lineage. */
export const LINEAGE_LENGTH_MAX = 512
/** Files and folders of one root, unless its owner says otherwise. */
export const DEFAULT_ENTRIES_MAX = 65_536
/** Files and folders that the smallest quota allows. */
export const ENTRIES_LEAST = 256
/** Bytes of quota for each of them: each takes a unit on the disk, however little is in it. */
export const QUOTA_BYTES_PER_ENTRY: number = 1 * KIB
/** Snapshots of one root. */
export const SNAPSHOTS_MAX = 16

/** Chunks of open files that a root keeps in memory. */
export const CACHED_CHUNKS_MAX = 16
/** Pages of the tree of entries that a root keeps in memory. */
export const CACHED_PAGES_MAX = 128
/** Changed pages of that tree after which all is made durable: fewer than the units kept free. */
export const DIRTY_PAGES_MAX = 24
/** Index pages of one open file that stay in memory. */
export const CACHED_INDEX_PAGES_MAX = 8
/** Bytes that are written to the disk by one call. */
export const BATCH_BYTES_MAX: number = 1 * MIB
/** How long the anchor of a vault file may lag behind it. */
export const ANCHOR_DELAY_MS = 1_000
/** Largest anchor that is read. */
export const ANCHOR_BYTES_MAX = 256
/** How long a change may wait to be made durable when nobody asks for it. */
export const COMMIT_DELAY_MS = 250
