/** Buffers one `fd_read` or `fd_write` may name. */
export const IO_VECTORS_MAX = 1024
/** Bytes one `fd_read` or `fd_write` moves; a program that asked for more is told how many were moved. */
export const IO_BYTES_MAX: number = 1024 * 1024
/** Bytes one `random_get` may ask for. */
export const RANDOM_BYTES_MAX: number = 1024 * 1024
/** Bytes the platform's random source gives at a time (Web Crypto API, getRandomValues). */
export const RANDOM_CHUNK_BYTES = 65_536
/** Subscriptions of one `poll_oneoff`. */
export const POLL_SUBSCRIPTIONS_MAX = 64
/** Longest sleep of one `poll_oneoff`, milliseconds; the program is told nothing happened and may ask again. */
export const POLL_SLEEP_MS_MAX: number = 24 * 60 * 60 * 1000
/** Clocks go in steps of a millisecond, too coarse to time a cache. */
export const CLOCK_RESOLUTION_NS = 1_000_000n
/** Bytes of standard input that may wait in the process for the program. */
export const STDIN_WINDOW_BYTES: number = 256 * 1024
/** Bytes of the runtime channel that may wait in the process for the program. */
export const CHANNEL_WINDOW_BYTES: number = 1024 * 1024
/** The runtime channel's descriptor. */
export const CHANNEL_DESCRIPTOR = 3
/** The name a program's files are preopened under. */
export const FILES_PREOPEN = '/data'
/** Descriptors a program can have; files among them are counted by the host, to their own limit. */
export const DESCRIPTORS_MAX = 2048
/** Bytes of one path, in UTF-8. */
export const PATH_BYTES_MAX = 4096
/** Bytes of one name in a path, in UTF-8. */
export const PATH_NAME_BYTES_MAX = 255
/** Names of one folder that are listed. */
export const LISTED_ENTRIES_MAX = 65_536
/** Bytes read ahead the first time a program reads on; doubled each time it does. */
export const READ_AHEAD_BYTES_MIN = 4096
/** Files whose bytes are kept read ahead. */
export const READ_AHEAD_FILES_MAX = 16
/** Bytes of small writes that are gathered before the host hears of them. */
export const WRITE_BEHIND_BYTES_MAX: number = 32 * 1024
