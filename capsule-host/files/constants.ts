/** Bytes of a path, in UTF-8. */
export const FILE_PATH_BYTES_MAX = 4096
/** Bytes of one name in a path, in UTF-8. */
export const FILE_NAME_BYTES_MAX = 255
/** Names a path may have. */
export const FILE_DEPTH_MAX = 64
