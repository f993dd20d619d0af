/** The protocol by which nodes tell each other of revoked devices. */
export const DEVICES_PROTOCOL = '/elastos/devices/1.0.0'
/** The protocol by which a new device is handed its certificate. */
export const PAIRING_PROTOCOL = '/elastos/pairing/1.0.0'
/** Where a person's device list stands in the publisher index. */
export const DEVICES_ENTRY = { kind: 'devices', name: 'list' } as const

const SECOND_MS = 1_000
const MINUTE_MS = 60_000

/** Largest file of revocations that is read. */
export const DEVICES_FILE_BYTES_MAX: number = 8 * 1024 * 1024
/** Revoked devices held of one person, over all lists it ever signed. */
export const REVOKED_OF_PERSON_MAX = 256
/** Revoked devices held on disk, of people this node has met. */
export const REVOKED_KEPT_MAX = 20_000
/** People who were met: their revocations are kept on disk, also those that are heard of later. */
export const PEOPLE_MET_MAX = 8_192
/** People on disk, the owner and those who revoked something first. */
export const PEOPLE_KEPT_MAX = 10_000
/** People never met whose revocations are remembered in memory; the one heard of first gives way. */
export const STRANGERS_MAX = 256
/** Devices that were seen to speak for their person. */
export const BOUND_MAX = 8_192

/** Lists that are passed on to those who missed them, the oldest given up first. */
export const RECENT_LISTS_MAX = 64
/** Recent lists of one person. */
export const RECENT_OF_PERSON_MAX = 4
/** Bytes of recent lists that are kept on disk, so that others can catch up after a restart too. */
export const RECENT_KEPT_BYTES_MAX: number = 128 * 1024
/** Bytes of the hash by which lists are compared. */
export const DIGEST_BYTES = 16
/** Lists in one message. */
export const LISTS_PER_MESSAGE_MAX = 16
/** Bytes of the lists in one message. */
export const LISTS_BYTES_MAX: number = 100 * 1024
/** Largest message of the devices protocol. */
export const DEVICES_MESSAGE_BYTES_MAX: number = 128 * 1024
/** Messages a peer may send at once, and how often another one later on. */
export const MESSAGES_BURST = 8
/** Time after which a peer may send one message more. */
export const MESSAGE_EVERY_MS: number = 2 * SECOND_MS
/** Peers whose rate is remembered. */
export const RATED_PEERS_MAX = 1_024
/** Peers told at the same time. */
export const TELL_AT_ONCE_MAX = 8
/** Time after a peer connected until it is asked what was missed. */
export const CATCH_UP_DELAY_MS = 200
/** Peers whose answer counts within {@link CATCH_UP_WINDOW_MS}; what others know comes by itself. */
export const CATCH_UP_PEERS_MAX = 8
/** Peers asked within {@link CATCH_UP_WINDOW_MS}, also in vain: those of other networks and programs have no answer. */
export const CATCH_UP_ATTEMPTS_MAX = 32
/** After so long the count begins anew, with those who are connected and were not asked. */
export const CATCH_UP_WINDOW_MS: number = 10 * MINUTE_MS
/** When it is so old, or nobody was connected for so long, it begins anew for one who was alone, as on a machine that was asleep. */
export const CATCH_UP_ALONE_MS: number = MINUTE_MS

/** Time after somebody was met until their list is looked up. */
export const LOOKUP_DELAY_MS: number = 2 * SECOND_MS
/** Lists of other people that are looked up at the same time. */
export const LOOKUPS_AT_ONCE_MAX = 4
/** Lists of other people that are looked up one after the other without a wait: those of a small room. */
export const LOOKUPS_BURST = 8
/**
 * After {@link LOOKUPS_BURST}, how often one more is looked up. In a room each would ask twenty peers for each other at once: among fifty members
 * that was most of the work of joining, while whoever knows a list that revokes something tells its neighbours unasked. Each of them looks up
 * another one first, so that somebody among fifty has looked up anybody's within a minute.
 */
export const LOOKUP_EVERY_MS: number = 10 * SECOND_MS
/** How soon somebody who need not wait is seen by a turn that waits for {@link LOOKUP_EVERY_MS}. */
export const LOOKUP_PAUSE_MS: number = SECOND_MS
/** For so long after it was made here a person's list is not looked up: the first start of a node comes within it. */
export const JUST_MADE_MS: number = MINUTE_MS
/** Time one lookup may take. */
export const LOOKUP_TIMEOUT_MS: number = 20 * SECOND_MS
/** Time after which somebody's list is looked up again when they are heard. */
export const LOOKUP_AGAIN_MS: number = 60 * MINUTE_MS
/** Lookups that are remembered over a restart; of more, the latest. */
export const LOOKUP_NOTES_MAX = 1_024
/** Bytes that those may take. */
export const LOOKUP_NOTES_BYTES_MAX: number = 256 * 1024
/** How soon after one they are written. */
export const LOOKUP_NOTES_WRITE_MS: number = 2 * SECOND_MS
/** Strangers waiting to be looked up; of more, those heard first are looked up when heard again. */
export const LOOKUP_QUEUE_MAX = 256
/** Time that looking for the own list may take before it is changed. */
export const OWN_LOOKUP_TIMEOUT_MS: number = 5 * SECOND_MS
/** Time that publishing the own list may take before it goes on in the background. */
export const PUBLISH_WAIT_MS: number = 15 * SECOND_MS
/** Time between attempts to publish a list that nobody has yet. */
export const PUBLISH_RETRY_MS: number = 30 * SECOND_MS

/** Time that a new device waits for its certificate. */
export const PAIRING_MS: number = 15 * MINUTE_MS
/** Bytes of the one-time key in a pairing code. */
export const PAIRING_KEY_BYTES = 16
/** Longest pairing code or certificate text that is read. */
export const PAIRING_TEXT_CHARS_MAX = 4_096
/** Addresses in a pairing code. */
export const PAIRING_ADDRESSES_MAX = 4
/** Longest of them. */
export const PAIRING_ADDRESS_CHARS_MAX = 128
/** Largest message of the pairing protocol. */
export const PAIRING_MESSAGE_BYTES_MAX = 4_096
/** Wrong certificates after which a new device stops listening. */
export const PAIRING_ATTEMPTS_MAX = 16
/** Time that handing over a certificate may take. */
export const PAIRING_DELIVERY_MS: number = 20 * SECOND_MS
