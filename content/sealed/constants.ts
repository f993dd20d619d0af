/** What sealed content begins with. */
export const SEALED_MAGIC: Uint8Array = new TextEncoder().encode('elastos sealed 1\n')

/** Bytes of a key, and of the salt that makes each sealing another. */
export const SEALED_KEY_BYTES = 32

/** Plain bytes of one record: what is sealed grows to a multiple of it, so that its exact size says nothing. */
export const SEALED_RECORD_BYTES: number = 64 * 1024

/** Bytes that a record has beside its plain bytes: the tag of AES-256-GCM. */
export const SEALED_TAG_BYTES = 16

/** Bytes (UTF-8) of the path of a sealed entry at most. */
export const SEALED_PATH_BYTES_MAX: number = 64 * 1024 - 1
