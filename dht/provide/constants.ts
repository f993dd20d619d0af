import { HOUR_MS } from '../constants.ts'

/** Into how many equal parts the key space is divided for spreading announcements over time: 2 to the power of this. */
export const SLOT_BITS = 12

/** How many parts that are; each has its time in a cycle. */
export const SLOTS: number = 2 ** SLOT_BITS

/** In what time everything is announced once again; records live 48 hours, so one failed day is survived. */
export const SWEEP_CYCLE_MS: number = 22 * HOUR_MS

/** What was announced this recently is left for the next cycle; no announcement gets older than a cycle and this. */
export const SWEEP_SKIP_AGE_MS: number = 8 * HOUR_MS

/** How often it is checked which parts of the key space are due. */
export const SWEEP_TICK_MS: number = 60 * 1_000

/** How often it is tried again to announce what nobody took. */
export const SWEEP_RETRY_INTERVAL_MS: number = 15 * 60 * 1_000

/** How often the records of others that have run out are deleted. */
export const STALE_DELETE_INTERVAL_MS: number = HOUR_MS

/** How long after a change of peers or addresses what is unannounced is announced. */
export const SWEEP_DELAY_MS = 1_000

/** How many contents a node announces at most. */
export const ANNOUNCEMENTS_MAX = 1_000_000

/** How many announcements are handed to their peers at a time. */
export const SWEEP_BATCH_KEYS_MAX = 512

/** How many peers are sent announcements at once. */
export const SWEEP_PEERS_PARALLEL = 8

/** How long one peer may take to be sent one batch. */
export const SWEEP_SEND_TIMEOUT_MS = 20_000

/** How long one lookup may take. */
export const SWEEP_LOOKUP_TIMEOUT_MS = 30_000

/** Up to how many contents between the same peers are looked up one by one: for more, their region is explored. */
export const SWEEP_DIRECT_KEYS_MAX = 2

/** How many lookups exploring the surroundings of one key may take. */
export const EXPLORE_LOOKUPS_MAX = 24

/** Up to how many bits of a place a random key is searched for: about 20 ms of work. */
export const EXPLORE_RANDOM_BITS_MAX = 12

/** How long the peers of a region are believed to be its peers. */
export const REGION_AGE_MAX_MS: number = HOUR_MS

/** How many explored parts of the key space are remembered, some twenty peers each. */
export const REGION_LEAVES_MAX = 1_024
