const SECOND_MS = 1_000
const MINUTE_MS: number = 60 * SECOND_MS
const DAY_MS: number = 24 * 60 * MINUTE_MS

/** Domain of every frame of a private room, and what else is derived under its name. */
export const PRIVATE_PROTOCOL = 'elastos/private/1'
/** Type of the envelope around a frame. */
export const FRAME_TYPE = 'frame/1'
/** Largest frame, envelope included; nothing is parsed of a larger one. */
export const FRAME_BYTES_MAX: number = 64 * 1_024
/** Bytes of a group's id and of the name of an epoch. */
export const GROUP_ID_BYTES = 32
/** Devices in one private room or direct conversation. */
export const DEVICES_MAX = 64
/** Private rooms and direct conversations of one device. */
export const CONVERSATIONS_MAX = 256
/** Conversations that others opened and in which nothing was said here, in all: what this device opens has room beside them. */
export const STRANGERS_MAX = 64
/** Of {@link STRANGERS_MAX}, those that one person opened. */
export const STRANGERS_OF_PERSON_MAX = 4
/** States of one conversation kept beside the newest: to read who is late, and to settle forks. */
export const BRANCHES_MAX = 8
/** Names of epochs remembered, so that what came before is known. */
export const EPOCHS_NAMED_MAX = 64
/** How long the whole state before a commit is kept: a fork that shows within it is settled without asking anybody. */
export const FORK_WINDOW_MS: number = 10 * MINUTE_MS
/** How long late messages of an epoch can be read. */
export const LATE_MESSAGES_MS: number = 7 * DAY_MS
/** Keys of messages that did not come yet, kept for each member of an epoch. */
export const SKIPPED_KEYS_MAX = 1_024
/** Messages of a member that may be missing before one that came. */
export const SKIPPED_MESSAGES_MAX = 1_024
/** Texts are padded to this length, so that short ones look alike. */
export const PADDED_BYTES = 256
/** The turn of the next to commit, when the one before did not. */
export const COMMIT_TURN_MS: number = 3 * SECOND_MS
/** The last turn: ranks beyond it commit together. */
export const COMMIT_RANK_MAX = 5
/** How long who was taken in again waits to be told which epochs came before, with what it wanted before: then it invites nobody of those. */
export const BEFORE_WAIT_MS: number = MINUTE_MS
/** Changes asked for and not made yet, each conversation. */
export const INTENTS_MAX = 64
/** How long a change that was asked for is tried. */
export const INTENT_MS: number = 60 * MINUTE_MS
/** Frames of one device that wait for what comes before them. */
export const HELD_OF_DEVICE_MAX = 64
/** Frames of members that wait for what comes before them, in all. */
export const HELD_MAX = 256
/** Frames of others that wait for a welcome, in all, besides those of members. */
export const HELD_OF_STRANGERS_MAX = 32
/** How long a frame waits for what comes before it. */
export const HELD_MS: number = 60 * MINUTE_MS
/** Frames that wait to be delivered, in all; more are refused. */
export const OUTGOING_MAX = 4_096
/** Frames on their way to a device from which on it is sent no commits it says it missed. */
export const OUTGOING_OF_DEVICE_MAX = 256
/** Waits between attempts to deliver to a device. */
export const DELIVER_RETRY_MS: readonly number[] = [1, 2, 5, 10, 20, 40, 60].map(
  (seconds) => seconds * SECOND_MS
)
/** Time one delivery may take. */
export const DELIVER_TIMEOUT_MS: number = 15 * SECOND_MS
/** How long a frame is tried to be delivered; as long as a mailbox keeps it. */
export const DELIVER_MS: number = 7 * DAY_MS
/** Devices delivered to at a time. */
export const DELIVERIES_MAX = 8
/** Between two rounds of what is due. */
export const TICK_MS: number = SECOND_MS
/** Least time between two frames that tell the same device which epochs are known. */
export const SYNC_INTERVAL_MS: number = 5 * SECOND_MS
/** Commits sent in answer to one who missed them. */
export const SYNC_COMMITS_MAX = 32
/** Least time between two looks for devices of a person that are not in the conversation yet. */
export const DEVICES_INTERVAL_MS: number = 10 * MINUTE_MS
/** Least time between two attempts to be taken in again. */
export const REJOIN_INTERVAL_MS: number = MINUTE_MS

/** Welcomes with a prekey that is not here, from whomever, that are answered in a period. */
export const WELCOMES_ANSWERED_MAX = 4
/** The period of {@link WELCOMES_ANSWERED_MAX}. */
export const WELCOMES_ANSWERED_PERIOD_MS: number = MINUTE_MS
/** Members or groups whose pace is remembered, of each kind. */
export const PACES_MAX = 1_024

/** One-use prekeys that a device keeps published. */
export const PREKEYS_COUNT = 32
/** Fewer left than this, and new ones are made. */
export const PREKEYS_LOW = 16
/** Prekeys whose secrets are kept, used ones of the last minutes included. */
export const PREKEYS_MAX = 128
/** How long a prekey may be used after it was made; the last resort is replaced at half of it. */
export const PREKEY_LIFETIME_MS: number = 30 * DAY_MS
/** How long after the start prekeys are made and published. */
export const PREKEYS_START_MS: number = 3 * SECOND_MS
/** How often the prekeys of this device are published anew. */
export const PREKEYS_PUBLISH_MS: number = 3 * 60 * MINUTE_MS
/** Largest prekey. */
export const PREKEY_BYTES_MAX = 4_096
/** Largest statement of the prekeys of a device. */
export const PREKEYS_BYTES_MAX: number = (PREKEYS_COUNT + 1) * (PREKEY_BYTES_MAX + 8) + 1_024
/** Type of the envelope around the prekeys of a device. */
export const PREKEYS_TYPE = 'prekeys/1'

/** Number of the group extension that says what a conversation is; of the private range of RFC 9420 §17.3. */
export const INFO_EXTENSION = 0xf0e1
/** Number of the extension of a key package that says until when it may be used, and whether it is the last resort. */
export const PREKEY_EXTENSION = 0xf0e2

/** Texts of one conversation that are kept. */
export const TEXTS_KEPT_MAX = 1_000
/** What every key of the store begins with. */
export const STORE_PREFIX = 'private/'

/** Devices whose prekeys one node gives out. */
export const DEPOT_DEVICES_MAX = 512
/** Devices of one person whose prekeys one node gives out. */
export const DEPOT_DEVICES_OF_PERSON_MAX = 16
/** How long prekeys are given out after their device was last heard of. */
export const DEPOT_MS: number = 14 * DAY_MS
/** One-use prekeys of a person that one device is given in a period; then it gets the last resort. */
export const DEPOT_TAKES_MAX = 4
/** The period of {@link DEPOT_TAKES_MAX}. */
export const DEPOT_TAKES_PERIOD_MS: number = 60 * MINUTE_MS
/** Nodes that give out the prekeys of a device, each others of them. */
export const DEPOTS_COUNT = 4
/** Peers asked to give out prekeys, until enough do. */
export const DEPOTS_ASKED_MAX = 16
/** Depots asked for the prekeys of a person. */
export const DEPOTS_TRIED_MAX = 6
/** How often a depot announces whose prekeys it has. */
export const DEPOT_ANNOUNCE_MS: number = 6 * 60 * MINUTE_MS
/** Persons announced by a depot at a time. */
export const DEPOT_ANNOUNCEMENTS_MAX = 4
/** Time to ask one depot. */
export const DEPOT_TIMEOUT_MS: number = 4 * SECOND_MS
/** After how long prekeys of a person are searched again who has none yet: who starts for the first time publishes some within seconds. */
export const PREKEYS_SEARCH_AGAIN_MS: readonly number[] = [SECOND_MS, 2 * SECOND_MS, 4 * SECOND_MS]
/** How long after the first search another may begin. */
export const PREKEYS_SEARCHES_MS: number = 10 * SECOND_MS
/** Time to look for depots of a person. */
export const DEPOT_SEARCH_MS: number = 8 * SECOND_MS
/** Largest request of the prekeys protocol. */
export const PREKEYS_REQUEST_BYTES_MAX: number = PREKEYS_BYTES_MAX + 1_024
/** Largest answer of the prekeys protocol: one prekey for each device of a person. */
export const PREKEYS_ANSWER_BYTES_MAX: number = DEPOT_DEVICES_OF_PERSON_MAX * (PREKEY_BYTES_MAX + 8) + 64
/** The exchange by which frames go from device to device. */
export const PRIVATE_EXCHANGE = '/elastos/private/1.0.0'
/** The exchange by which prekeys are left and taken. */
export const PREKEYS_EXCHANGE = '/elastos/prekeys/1.0.0'
