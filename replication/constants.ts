import { envelopeBytesMax } from '#did'

/** The protocol by which devices ask each other about replicas. */
export const REPLICA_PROTOCOL = '/elastos/replica/1.0.0'
/** Domain of every signed record here. */
export const REPLICA_DOMAIN = 'elastos/replica/1'

const SECOND_MS = 1_000
const MINUTE_MS: number = 60 * SECOND_MS
const HOUR_MS: number = 60 * MINUTE_MS
const KIB = 1_024
const MIB: number = 1_024 * KIB

/** Copies on other devices of what one publishes, unless told otherwise. */
export const PUBLISHED_COPIES = 5
/** Copies on other devices of what one keeps of those one follows, unless told otherwise. */
export const FOLLOWED_COPIES = 3
/** Most copies a goal may ask for. */
export const COPIES_MAX = 32
/** Most copies that demand adds to a goal. */
export const HOT_COPIES_MAX = 8
/** Fetches from all holders within {@link DEMAND_WINDOW_MS} that add the first hot copy; each further one takes double. */
export const HOT_DEMAND = 64
/** Over how long demand is counted. */
export const DEMAND_WINDOW_MS: number = 10 * MINUTE_MS

/** How long a lease lasts. A holder that died is noticed when its last one ends. */
export const LEASE_MS: number = 150 * SECOND_MS
/** Longest lease of somebody else that counts. */
export const LEASE_MS_MAX: number = 15 * MINUTE_MS
/** How often leases are renewed: a lost renewal costs no repair. */
export const RENEW_EVERY_MS: number = 50 * SECOND_MS
/** How often it is looked whether a goal lacks copies. */
export const LOOK_EVERY_MS: number = 10 * SECOND_MS
/** How long a clean stop lets leases last: a restart within it costs no repair. */
export const LEAVE_GRACE_MS: number = 60 * SECOND_MS
/** How long a clean stop may take to tell others. */
export const LEAVE_DEADLINE_MS: number = 5 * SECOND_MS
/** How long a hand-off waits for others to have what only this device has. */
export const HAND_OFF_MS: number = 5 * MINUTE_MS
/** Roots for which copies are asked for in one look after all goals. */
export const ASKS_PER_LOOK = 64
/** The first on duty repairs within this of noticing, each at another moment. */
export const REPAIR_JITTER_MS: number = 10 * SECOND_MS
/** How much later each further one on duty looks whether it still has to. */
export const DUTY_STEP_MS: number = 20 * SECOND_MS
/** How long somebody who took a root may fetch it before another is asked, beside the time its bytes take. */
export const TAKING_MS: number = 60 * SECOND_MS
/** A copy too many goes when there were too many for so long. */
export const TRIM_AFTER_MS: number = 5 * MINUTE_MS
/** How long one who said that it holds a root, to one who lets it go, keeps it whatever else. */
export const RELIED_MS: number = 3 * MINUTE_MS
/** A holder that was not heard for so many renewals is silent, before its lease ends. */
export const LATE_RENEWALS = 1.8
/** When more than half of those who held with us fell silent within so long, it may be us who are cut off. */
export const CUT_OFF_WINDOW_MS: number = 4 * MINUTE_MS
/** How long copies beyond {@link CUT_OFF_COPIES} wait when it may be us who are cut off. */
export const CUT_OFF_WAIT_MS: number = 90 * MINUTE_MS
/** Copies that are made although it may be us who are cut off: one disk alone must not be the last. */
export const CUT_OFF_COPIES = 2
/** Holders of a root beyond the cut from which on it can wait: one alone may go before a copy is made there. */
export const BEYOND_CUT_MIN = 2
/** Silent holders that are too few to say anything about ourselves. */
export const CUT_OFF_PEERS_MIN = 3
/** How long somebody who held a root is asked for again now and then, after its lease ended. */
export const LAPSED_MS: number = 24 * HOUR_MS
/** How long a withdrawn goal is remembered of what is here no more, for holders that were off and have not heard of it. */
export const WITHDRAWN_MS: number = 30 * 24 * HOUR_MS
/** Of how many renewals one goes to those whose leases ended. */
export const LAPSED_EVERY = 4
/** For how long somebody who did not answer is not asked to keep anything; doubles with each time. */
export const DOWN_MS: number = 45 * SECOND_MS
/** Longest of these. */
export const DOWN_MS_MAX: number = 10 * MINUTE_MS
/** How long somebody who could not fetch a root is not asked for it again. */
export const FAILED_MS: number = 5 * MINUTE_MS

/** How long an offer lasts. */
export const OFFER_MS: number = HOUR_MS
/** How often an offer is signed anew. */
export const OFFER_EVERY_MS: number = 20 * MINUTE_MS
/** An offer that lasts no longer than this has missed two renewals: whoever made it is asked last. */
export const OFFER_LATE_MS: number = 10 * MINUTE_MS
/** How often offers are exchanged with some of a pool. */
export const SYNC_EVERY_MS: number = 60 * SECOND_MS
/** With how many at a time. */
export const SYNC_PEERS = 3
/** With how many at a time in a pool of which many offers are known: names of all of them travel each time. */
export const SYNC_PEERS_LARGE = 1
/** From so many known offers on a pool is a large one. */
export const POOL_LARGE = 256
/** Questions of one exchange of offers, each with as many offers as a message may have. */
export const SYNC_TURNS_MAX = 4
/** How often a device looks for others of its pools. */
export const MEET_EVERY_MS: number = 10 * MINUTE_MS
/** In how many of these turns it announces itself anew, after the second time, which comes in the next one: half of those who remember it are there for hours. */
export const MEETINGS_PER_ANNOUNCEMENT = 3
/** How soon it looks for others again at first; twice as long each time in which it met nobody new. */
export const MEET_SOON_MS: number = 2 * SECOND_MS
/** How long one announcing or looking may take. */
export const MEET_TIMEOUT_MS: number = 20 * SECOND_MS
/** Devices of a pool found at once. */
export const FOUND_MAX = 32
/** How long one of them is waited for before offers are exchanged with the next too. */
export const GREET_STEP_MS = 500
/** Devices of a pool remembered to exchange offers with, those met last. */
export const MET_MAX = 256

/** How far the clock of somebody else may be ahead of ours. */
export const CLOCK_AHEAD_MS: number = 10 * MINUTE_MS

/** Blocks a challenge covers. */
export const CHALLENGE_BLOCKS = 32
/** How long an answer may take. */
export const CHALLENGE_DEADLINE_MS: number = 10 * SECOND_MS
/** How often a holder is challenged for one of the roots that are held together. */
export const CHALLENGE_EVERY_MS: number = 5 * MINUTE_MS
/** How long a lease does not count after its holder failed a challenge. */
export const DISTRUST_MS: number = HOUR_MS
/** Bytes of a challenge's nonce. */
export const NONCE_BYTES = 32
/** Challenges in a row that a holder may leave without an answer while its leases go on; then it has failed. */
export const SILENCES_MAX = 3
/** Answers prepared for each holder of what its owner keeps no longer; each is used once. */
export const PREPARED_PER_HOLDER = 16
/** Holders of one root that answers are prepared for. */
export const PREPARED_HOLDERS_MAX = 16
/** How often one of them is used without being asked to. */
export const PREPARED_EVERY_MS: number = 24 * HOUR_MS
/** Challenges of one device that are answered in a minute. */
export const CHALLENGES_PER_MINUTE = 12

/** How long one question may take. */
export const REQUEST_TIMEOUT_MS: number = 8 * SECOND_MS
/** Questions under way at once. */
export const REQUESTS_MAX = 16
/** Questions of one device that are answered at once. */
export const REQUEST_BURST = 256
/** Questions of one device that are answered in a second in the long run. */
export const REQUESTS_PER_SECOND = 16
/** Devices whose questions are counted. */
export const RATED_DEVICES_MAX = 4_096

/** Largest message. */
export const MESSAGE_BYTES_MAX: number = 240 * KIB
/** Data items in one. */
export const MESSAGE_ITEMS_MAX = 16_384
/** Leases in a message. */
export const LEASES_PER_MESSAGE = 32
/** Roots in a message, over all its leases. */
export const ROOTS_PER_MESSAGE = 2_048
/** Offers in a message. */
export const OFFERS_PER_MESSAGE = 96
/** Names of offers in a message. */
export const OFFER_NAMES_PER_MESSAGE = 8_192
/** Bytes that name an offer: the beginning of its SHA-256. */
export const OFFER_NAME_BYTES = 8
/** Holders named in a message. */
export const HOLDERS_PER_MESSAGE = 64

/** Largest certificate inside a record. */
export const CERTIFICATE_BYTES_MAX = 1_024
/** Longest text of a CID. */
export const ROOT_CHARS_MAX = 128
/** Roots that were read lately and need not be parsed again. */
export const ROOTS_READ_MAX = 4_096
/** Longest label of a host or a network. */
export const LABEL_CHARS_MAX = 64
/** Longest name of a group. */
export const GROUP_NAME_CHARS_MAX = 64
/** Pools a goal names. */
export const GOAL_POOLS_MAX = 16
/** Devices a goal names as readers. */
export const GOAL_READERS_MAX = 64
/** Members of a group. */
export const GROUP_MEMBERS_MAX = 256
/** Largest offer. */
export const OFFER_BYTES_MAX: number = envelopeBytesMax(CERTIFICATE_BYTES_MAX + 1_024)
/** Largest goal. */
export const GOAL_BYTES_MAX: number = envelopeBytesMax(CERTIFICATE_BYTES_MAX + 14_336)
/** Largest lease. */
export const LEASE_BYTES_MAX: number = envelopeBytesMax(512)
/** Largest group. */
export const GROUP_BYTES_MAX: number = envelopeBytesMax(CERTIFICATE_BYTES_MAX + 28_672)

/** Most bytes of space an offer or a goal may name: what a double counts exactly. */
export const SPACE_BYTES_MAX: number = Number.MAX_SAFE_INTEGER
/** Space for one publisher when nothing was said, as one part of so many. */
export const PUBLISHER_SHARE = 2
/** Roots held on behalf of others. */
export const HELD_MAX = 65_536
/** Roots of one publisher that are held; a lease covers them together. */
export const HELD_OF_PUBLISHER_MAX = 2_048
/** Goals of this device's person. */
export const GOALS_MAX = 65_536
/** People followed, and groups joined. */
export const AGREEMENTS_MAX = 1_024
/** Offers known. */
export const OFFERS_MAX = 65_536
/** Offers that were verified lately and need not be again, in all. */
export const OFFERS_OPENED_MAX = 4_096
/** Offers known of one pool. */
export const OFFERS_OF_POOL_MAX = 8_192
/** Offers known of the devices of one person to one pool. */
export const OFFERS_OF_PERSON_MAX = 16
/** Devices of which it is remembered that they were not to be reached. */
export const DOWN_DEVICES_MAX = 8_192
/** Holders remembered of one root. */
export const HOLDERS_OF_ROOT_MAX = 128
/** Roots being fetched at once on behalf of others. */
export const FETCHES_MAX = 2
/** Roots waiting to be fetched. */
export const FETCHES_WAITING_MAX = 8_192
/** Bytes a second fetched on behalf of others, unless told otherwise. */
export const REPAIR_BYTES_PER_SECOND: number = 8 * MIB
