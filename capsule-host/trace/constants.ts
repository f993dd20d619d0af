const MIB = 1024 * 1024

/** First bytes of a trace. */
export const TRACE_MAGIC = 'elastos-trace\n'
/** Version of the format of traces. */
export const TRACE_VERSION = 2
/** Oldest version that is still replayed: its entries are one chunk. */
export const TRACE_VERSION_MIN = 1
/** Bytes of what a trace says before its module. */
export const TRACE_HEAD_BYTES_MAX: number = 256 * 1024
/** Bytes of a whole trace. */
export const TRACE_BYTES_MAX: number = 161 * MIB
