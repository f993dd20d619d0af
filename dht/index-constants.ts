/** The envelope domain of publisher indexes. */
export const INDEX_DOMAIN = 'elastos/publisher-index'

/** The envelope type of publisher indexes; the number changes when old readers could misread a new index. */
export const INDEX_TYPE = 'index/1'

/** How many bytes the block of an index may have. */
export const INDEX_BYTES_MAX = 1_048_576

/** How many entries an index may have, of all kinds together. */
export const INDEX_ENTRIES_MAX = 10_000

/** How many kinds of entries an index may have. */
export const INDEX_KINDS_MAX = 32

/** How many characters a kind may have. */
export const INDEX_KIND_CHARS_MAX = 32

/** How many characters the name of an entry may have. */
export const INDEX_NAME_CHARS_MAX = 64

/** How many heads' highest sequences a node remembers; more are refused, for forgetting one would allow a rollback. */
export const SEEN_HEADS_MAX = 100_000

/** How often publishing starts anew because another device published in between. */
export const INDEX_PUBLISH_ATTEMPTS_MAX = 4
