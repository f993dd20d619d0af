/** Version of what the store holds: entries, snapshots and heads. */
export const AUTHORITY_STORE_VERSION = 1
/** Domain of everything the store has signed. */
export const AUDIT_DOMAIN = 'elastos/audit'
/** Payload type of a signed head. */
export const AUDIT_HEAD_TYPE = 'head/1'
/** First input of the derivation of a lineage's key (HKDF's salt). */
export const AUDIENCE_KEY_SALT = 'elastos/audience/1'

/** The greatest epoch a log begins with, in case the clock is far ahead. */
export const FIRST_EPOCH_MAX: number = 2 ** 31

/** Characters of a lineage. */
export const LINEAGE_CHARS_MAX = 256
/** Characters of a session's id. */
export const SESSION_ID_CHARS_MAX = 128
/** Characters kept of a reason, and of a provider's CID. */
export const REASON_CHARS_MAX = 280
/** Characters of a command or a resource that was refused for its form, as the log keeps it. */
export const REFUSED_NAME_CHARS_MAX = 1025
/** Entries of a ceiling. */
export const CEILING_ENTRIES_MAX = 256
/** Bytes of the text of a ceiling; a manifest has at most half of them. */
export const CEILING_BYTES_MAX: number = 128 * 1024

/** Tokens one lineage may hold; those that ended stay until room is needed. */
export const GRANTS_PER_LINEAGE_MAX = 256
/** Tokens of all lineages of a device. */
export const GRANTS_MAX = 4096
/** Durable denials of one lineage; the oldest goes first. */
export const DENIALS_PER_LINEAGE_MAX = 256
/** Durable denials of a device; the oldest of the lineage that has most goes first. */
export const DENIALS_MAX = 4096
/** Lineages whose ceiling is remembered; another's is written to the log again when it runs. */
export const CEILINGS_MAX = 128
/** Lineages of which anything is remembered; those without grants and denials go first. */
export const LINEAGES_MAX = 1024
/** Derived keys kept in memory. */
export const AUDIENCES_MAX = 512
/** Those who want to be told of revocations. */
export const LISTENERS_MAX = 1024

const HOUR_MS = 3_600_000
/** How long a grant for one use waits for it. */
export const ONCE_GRANT_MS: number = HOUR_MS
/** How long a grant for a session lasts at most. */
export const SESSION_GRANT_MS: number = 7 * 24 * HOUR_MS
/** How long a grant for a day lasts. */
export const DAY_GRANT_MS: number = 24 * HOUR_MS

/** Bytes of one audit entry. */
export const ENTRY_BYTES_MAX: number = 512 * 1024
/** Bytes of a snapshot. */
export const SNAPSHOT_BYTES_MAX: number = 64 * 1024 * 1024
/** Bytes of a signed head. */
export const HEAD_BYTES_MAX = 1024
/** Entries between two snapshots: as many are read when the store is opened. */
export const SNAPSHOT_ENTRIES = 2048
/** Bytes of the audit log; beyond them the oldest entries go, back to a snapshot. */
export const AUDIT_BYTES_MAX: number = 64 * 1024 * 1024
/** Entries that may wait for the disk before verdicts wait with them. */
export const PENDING_ENTRIES_MAX = 1024
/** How long an entry that took no use may wait for the disk. */
export const FLUSH_MS = 50
/** How often at most the head is kept apart from the store as well. */
export const MARK_MS = 1000
/** Verdicts of one session that are written one by one at once; what comes faster is summed up. */
export const VERDICT_BURST = 256
/** Verdicts of one session a second that are written one by one. */
export const VERDICTS_PER_SECOND = 32
/** How often what was summed up is written. */
export const SUMMARY_MS = 1000
/** Entries one read returns. */
export const AUDIT_READ_MAX = 1000
/** Entries that wait for one who follows the log; beyond them the oldest are left out. */
export const FOLLOW_QUEUE_MAX = 1024
/** Differences a replay lists. */
export const DIFFERENCES_MAX = 100
