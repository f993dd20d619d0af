const MIB = 1024 * 1024

/** First bytes of a trace. */
export const TRACE_MAGIC = 'elastos-trace\n'
/** Version of the format of traces. */
export const TRACE_VERSION = 2
/** Oldest version that is still replayed: its entries are one chunk. */
export const TRACE_VERSION_MIN = 1
/** Bytes of what a trace says before its module. */
export const TRACE_HEAD_BYTES_MAX: number = 256 * 1024
/** Bytes of a trace that are gathered before they are written, each piece counting {@link TRACE_PIECE_BYTES} beside its own. */
export const TRACE_GATHERED_BYTES: number = 256 * 1024
/** How long they are gathered at most: handing a file to the system costs more than most pieces. */
export const TRACE_GATHERED_MS = 20
/** Bytes of a whole trace. */
export const TRACE_BYTES_MAX: number = 161 * MIB
