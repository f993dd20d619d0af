import { envelopeBytesMax } from '#did'
import { CERTIFICATE_BYTES_MAX, DAY_MS, ROOM_NAME_BYTES_MAX } from '../constants.ts'

/** The domain of signed lists of moderators, and with a room's hash the topic they are told on. */
export const MODERATION_PROTOCOL = 'elastos/moderation/1'
/** Payload type of the envelope around a list. */
export const MODERATION_TYPE = 'list'
/** Before the hash of a room's name in the topic of its lists. */
export const MODERATION_TOPIC_PREFIX = '/elastos/moderation/1/'
/** The protocol by which members ask each other for lists. */
export const MODERATION_EXCHANGE = '/elastos/room/moderation/1.0.0'
/** Version field of that exchange. */
export const MODERATION_VERSION = 1

/** People whom one list keeps from being heard. */
export const MUTED_MAX = 256
/** Messages one list removes. */
export const REMOVED_MAX = 256
/** People whose lists hold too for whoever follows one list. */
export const APPOINTED_MAX = 16
/** People whose lists one reader follows in one room, those who were appointed not counted. */
export const FOLLOWED_MAX = 16
/** Lists of one room that are kept; of more, those that nobody here follows give way. */
export const LISTS_MAX = 64
/** How long a list holds at most, and unless its author says otherwise. */
export const LIST_AGE_MS_MAX: number = 90 * DAY_MS

const DID_BYTES = 64
/** Largest list: its fields at their longest, and the envelope around them. */
export const LIST_BYTES_MAX: number = envelopeBytesMax(
  ROOM_NAME_BYTES_MAX +
    CERTIFICATE_BYTES_MAX +
    (MUTED_MAX + REMOVED_MAX) * (DID_BYTES + 16) +
    APPOINTED_MAX * DID_BYTES +
    512
)
/** Lists in one answer. */
export const LISTS_PER_ANSWER_MAX = 8
/** Largest request of the moderation exchange. */
export const MODERATION_REQUEST_BYTES_MAX = 32_768
/** Largest answer of the moderation exchange. */
export const MODERATION_ANSWER_BYTES_MAX: number = LISTS_PER_ANSWER_MAX * LIST_BYTES_MAX + 256
/** Answers read from one member in a row. */
export const MODERATION_ROUNDS_MAX = 8
/** Lists, and questions for them, that one peer may hand us at once. */
export const MODERATION_BURST = 32
/** The same per second in the long run. */
export const MODERATION_PER_SECOND = 0.5
/** How often a member is asked for lists, with nothing known to be missing; jittered. */
export const MODERATION_INTERVAL_MS = 60_000
/** Texts that were shown last, of which it is told when a list hides or shows them. */
export const MODERATED_TEXTS_MAX = 1_024
