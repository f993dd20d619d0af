import { HOUR_MS } from './constants.ts'

/** How long a name record counts from its signing: a publisher may be away that long. */
export const NAME_VALIDITY_MS: number = 30 * 24 * HOUR_MS

/** A record with less than this left is signed again, with the same sequence, when it is put again. */
export const NAME_RENEW_BEFORE_MS: number = 15 * 24 * HOUR_MS

/** How long readers may keep a record before they ask again (the record's TTL). */
export const NAME_TTL_MS: number = 5 * 60 * 1_000

/** How often own and followed names are put into the DHT again; servers forget a record after 48 hours. */
export const NAME_REPUT_INTERVAL_MS: number = 4 * HOUR_MS

/** When a node that has just started first puts its names again. */
export const NAME_REPUT_FIRST_MS: number = 60 * 1_000

/** How much of an interval chance adds, so that nodes that started together do not stay together. */
export const NAME_REPUT_JITTER_RATIO = 0.1

/** How long a lookup of one name may take. */
export const NAME_LOOKUP_TIMEOUT_MS = 30_000

/** How much longer the other DHTs are waited for once one of them has answered with a record. */
export const NAME_LOOKUP_GRACE_MS = 2_000

/** How long storing one record in the DHT may take. */
export const NAME_STORE_TIMEOUT_MS = 60_000

/** How many records a lookup needs before it stops asking (as other IPNS implementations do). */
export const NAME_RECORDS_ENOUGH = 16

/** How many answers of peers a lookup looks at. */
export const NAME_ANSWERS_MAX = 256

/** How many names of its own a node keeps alive. */
export const OWN_NAMES_MAX = 64

/** How many names of others a node keeps alive. */
export const FOLLOWED_NAMES_MAX = 256

/** How many names' highest records a node remembers; more are refused, for forgetting one would allow a rollback. */
export const SEEN_NAMES_MAX = 100_000

/** How many characters the name of a domain may have. */
export const DNS_NAME_CHARS_MAX = 253

/** How many domains one may lead through to a content or a key. */
export const DNSLINK_DEPTH_MAX = 8

/** How many TXT records of one domain are looked at. */
export const DNSLINK_RECORDS_MAX = 64

/** How many characters a `dnslink=` record may have. */
export const DNSLINK_CHARS_MAX = 1_024

/** How long following a domain to its end may take. */
export const DNSLINK_TIMEOUT_MS = 15_000

/** Records of names that were verified lately and need not be again. */
export const NAMES_OPENED_MAX = 512
