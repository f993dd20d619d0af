import { envelopeBytesMax } from '#did'

/**
 * The version of the room protocol: the domain of its envelopes and part of what a rendezvous CID is made of. It
 * changes when old and new members could not read each other, who then do not meet either.
 */
export const ROOM_PROTOCOL = 'elastos/room/1'
/** Payload type of the envelope around every message. */
export const MESSAGE_TYPE = 'message'
/** Before the hash of a room's name in its pubsub topic. */
export const TOPIC_PREFIX: string = '/elastos/room/1/'
/** The protocol by which members tell each other who else is here. */
export const MEMBERS_PROTOCOL = '/elastos/room/members/1.0.0'
/** Version field of the members exchange. */
export const MEMBERS_VERSION = 1

const SECOND_MS = 1_000
const MINUTE_MS: number = 60 * SECOND_MS
const HOUR_MS: number = 60 * MINUTE_MS
/** One UTC day. */
export const DAY_MS: number = 24 * HOUR_MS

/** Longest room name in UTF-8 bytes. */
export const ROOM_NAME_BYTES_MAX = 256
/** Longest room name in code points. */
export const ROOM_NAME_CHARS_MAX = 64
/** Longest nick in UTF-8 bytes. */
export const NICK_BYTES_MAX = 128
/** Longest nick in code points. */
export const NICK_CHARS_MAX = 32
/** Longest text of a message in UTF-8 bytes. */
export const TEXT_BYTES_MAX = 4_096
/** Largest device certificate that is looked at. */
export const CERTIFICATE_BYTES_MAX = 1_024
/** Largest message: its fields at their longest, and the envelope around them. */
export const MESSAGE_BYTES_MAX: number = envelopeBytesMax(
  ROOM_NAME_BYTES_MAX + NICK_BYTES_MAX + TEXT_BYTES_MAX + CERTIFICATE_BYTES_MAX + 512
)

/** A message whose time differs from ours by more is shown, with a note that a clock is off. */
export const CLOCK_OFF_MS: number = 5 * MINUTE_MS
/** A message whose time differs from ours by more is dropped: that is as far back as replays are remembered. */
export const CLOCK_DROP_MS: number = 48 * HOUR_MS

/** Sequence numbers below the highest seen that may still arrive, once each, in any order. */
export const REPLAY_WINDOW = 256
/** Sequence numbers a device may use within one millisecond; a restart begins at the time, and so above the last. */
export const SEQUENCES_PER_MS = 1_000
/** Devices whose sequence numbers are remembered. */
export const REPLAY_DEVICES_MAX = 8_192

/** Texts an author may send at once. */
export const TEXT_BURST = 20
/** Texts an author may send per second in the long run. */
export const TEXTS_PER_SECOND = 5
/** Presence and leave messages an author may send at once. */
export const PRESENCE_BURST = 8
/** Presence and leave messages an author may send per second in the long run. */
export const PRESENCES_PER_SECOND = 0.5
/** Messages one peer may hand us at once, whoever wrote them: what it can make us verify. */
export const SOURCE_BURST = 400
/** Messages one peer may hand us per second in the long run. */
export const SOURCE_PER_SECOND = 200
/** Authors, and peers, whose rate is remembered; the one unheard the longest is forgotten first. */
export const RATED_MAX = 1_024

/** Members listed; the one unheard the longest gives way to a new one. */
export const MEMBERS_MAX = 256
/** Nicks, and people who used each, that are remembered for telling people with one nick apart. */
export const NICKS_MAX = 1_024
/** People remembered for each nick. */
export const NICK_USERS_MAX = 16
/** Characters of the did that tell two people with one nick apart, unless more are needed. */
export const LABEL_SUFFIX_CHARS = 6

/** Time between two presence messages, before jitter. */
export const PRESENCE_INTERVAL_MS: number = 25 * SECOND_MS
/** Share of an interval by which it may be longer or shorter, so that members do not fall into step. */
export const JITTER_SHARE = 0.2
/** A member unheard for so long has left: three presence messages, each at its latest. */
export const PRESENCE_EXPIRY_MS: number = 3 * 30 * SECOND_MS
/** How often the member table is looked through for those who have left. */
export const EXPIRY_CHECK_MS: number = 5 * SECOND_MS
/** Least time between two presence messages sent because somebody arrived. */
export const HELLO_INTERVAL_MS_MIN: number = 3 * SECOND_MS
/** For each member, how much a greeting may be put off at random. */
export const HELLO_SPREAD_MS_PER_MEMBER = 20
/** Of more connected members about so many greet somebody who arrived, by lot: were it all, a room would work for each that comes by the square of its members. */
export const GREETERS = 6
/** Time after joining in which we greet everybody who arrives: it is we who are new then. */
export const NEWCOMER_MS: number = 15 * SECOND_MS
/** Texts are signs of life too: soon after one, a presence that is due is left out, but not more often than so in a row, for newcomers are shown it. */
export const PRESENCES_LEFT_OUT_MAX = 1
/** So many of those who are there are asked who else is: not everybody greets, and nobody greets who is not connected. */
export const ASKED_WHO_IS_HERE = 2
/** So many are asked that at most, where some do not answer. */
export const WHO_IS_HERE_TRIES_MAX = 8
/** Time after which somebody who found nobody is told so. */
export const ALONE_NOTICE_MS: number = 5 * SECOND_MS

/** Before UTC midnight, from when on tomorrow's rendezvous is provided and looked in too. */
export const TOMORROW_LEAD_MS: number = 10 * MINUTE_MS
/** Time after which a rendezvous is announced again. */
export const REPROVIDE_MS: number = 3 * HOUR_MS
/** Time one announcement may take. */
export const PROVIDE_TIMEOUT_MS: number = 30 * SECOND_MS
/** Waits after announcements that failed: the n-th failure, the last one for all further ones. */
export const PROVIDE_RETRY_MS: readonly number[] = [250, 500, 1_000, 2_000, 5_000, 15_000, 60_000]
/** Waits between searches while nobody was found: after the n-th search, the last one for all further ones. */
export const FIND_ALONE_MS: readonly number[] = [
  100, 150, 200, 250, 250, 250, 400, 600, 1_000, 1_500, 2_000, 3_000, 5_000, 10_000, 30_000, 60_000, 180_000
]
/** Searches that ask the nearest peers known only, before those that look for nearer ones. */
export const QUICK_FINDS = 4
/** Wait between searches while fewer than {@link PEERS_FEW} subscribers are connected. */
export const FIND_FEW_MS: number = 2 * MINUTE_MS
/** Wait between searches otherwise; members tell each other about newcomers meanwhile. */
export const FIND_SETTLED_MS: number = 10 * MINUTE_MS
/** Connected subscribers below which the search goes on sooner. */
export const PEERS_FEW = 3
/** Time the first search may take; each further one half as long again, up to {@link FIND_TIMEOUT_MS_MAX}. */
export const FIND_TIMEOUT_MS_MIN: number = 1_500
/** Time any search may take. */
export const FIND_TIMEOUT_MS_MAX: number = 15 * SECOND_MS
/** Of the searches while alone, every n-th also looks in days other than today. */
export const OTHER_DAYS_EVERY = 4
/** Providers taken from one search. */
export const PROVIDERS_PER_FIND_MAX = 16

/** Members contacted directly; the rest is heard through the topic. */
export const CONTACTS_MAX = 12
/** Contacts attempted at the same time. */
export const CONTACTS_IN_FLIGHT_MAX = 6
/** Peers waiting to be contacted; a further one is not remembered. */
export const CONTACT_QUEUE_MAX = 64
/** Peers whose last contact is remembered. */
export const CONTACTS_REMEMBERED_MAX = 512
/** Time a connection may take. */
export const CONNECT_TIMEOUT_MS: number = 8 * SECOND_MS
/** Time a members exchange may take. */
export const EXCHANGE_TIMEOUT_MS: number = 5 * SECOND_MS
/** Time after which a peer that answered may be asked again. */
export const RECONTACT_MS: number = 10 * SECOND_MS
/** Waits after contacts that failed: the n-th failure, the last one for all further ones. */
export const CONTACT_RETRY_MS: readonly number[] = [250, 1_000, 5_000, 30_000, 300_000]

/** How long a member whose connection broke is tried again. */
export const LOST_KEPT_MS: number = 30 * MINUTE_MS
/**
 * Waits between contacts with a member whose connection broke: after the n-th failure, the last one for all further ones. They do not
 * grow as those of {@link CONTACT_RETRY_MS}, which may be for nobody: after a cut of a minute two members would not meet for five.
 */
export const LOST_RETRY_MS: readonly number[] = [1, 5, 5, 5, 5, 10, 10, 10, 15, 15, 15, 15, 30].map(
  (seconds) => seconds * SECOND_MS
)
/** Of the contacts attempted at the same time those with members whose connection broke; all of them may hang. */
export const LOST_IN_FLIGHT_MAX = 2
/** Members whose connection broke that are remembered; of more, those who stayed longest. */
export const LOST_PEERS_MAX = 32

/** Members in one answer of the members exchange. */
export const MEMBERS_PER_ANSWER_MAX = 64
/** Addresses of one member in the members exchange. */
export const ADDRESSES_PER_MEMBER_MAX = 6
/** Longest address that is looked at. */
export const ADDRESS_CHARS_MAX = 256
/** Largest request of the members exchange. */
export const MEMBERS_REQUEST_BYTES_MAX: number =
  MESSAGE_BYTES_MAX + ADDRESSES_PER_MEMBER_MAX * (ADDRESS_CHARS_MAX + 3) + 256
/** Largest answer of the members exchange. */
export const MEMBERS_ANSWER_BYTES_MAX: number = 128 * 1_024

/** Texts that wait for somebody to receive them; a further one is refused. */
export const OUTBOX_MAX = 64
/** Time a text waits for somebody to receive it. */
export const SEND_WAIT_MS: number = 15 * SECOND_MS
/** Waits between attempts to hand a text to somebody; an arriving peer cuts them short. */
export const PUBLISH_RETRY_MS: readonly number[] = [25, 50, 100, 200, 400, 800, 1_000]
/** Time that leaving a room may take for the leave message. */
export const LEAVE_TIMEOUT_MS = 500
/** Events a consumer may be behind; then the oldest are dropped and counted. */
export const EVENTS_MAX = 1_024
/** Consumers of one room's events. */
export const EVENT_CONSUMERS_MAX = 64
/** Least time between two `dropped` events for one reason; the counters have every one. */
export const DROPPED_EVENT_INTERVAL_MS: number = 30 * SECOND_MS
/** Rooms one node may be in. */
export const ROOMS_MAX = 64
/** Rooms that are joined, and changes of moderation that are made, or wait for that, at once. */
export const TURNS_MAX = 256

/** The protocol by which members tell each other what was said before. */
export const HISTORY_PROTOCOL = '/elastos/room/history/1.0.0'
/** Version field of the history exchange. */
export const HISTORY_VERSION = 1
/** Texts kept of one room; the oldest give way. */
export const HISTORY_TEXTS_MAX = 4_096
/** Bytes of messages kept of one room; the oldest give way. */
export const HISTORY_BYTES_MAX: number = 4 * 1_024 * 1_024
/** How old a text may be that another member's history or a mailbox brings. */
export const HISTORY_AGE_MS: number = 7 * DAY_MS
/** Devices whose delivery is remembered in one room. */
export const DEVICES_MARKED_MAX = 8_192
/** How long a text waits for the one its device said before it. */
export const GAP_MS: number = 30 * SECOND_MS
/** The same for the first text of a device that was never heard here. */
export const GAP_FIRST_MS: number = 3 * SECOND_MS
/** How soon somebody is asked for a text that is missing; most only take another way, and come by themselves. */
export const GAP_ASK_MS = 250
/** Gaps of one device that stay open for what comes late. */
export const HOLES_MAX = 16
/** Texts of one room that wait for others; with more, one device's are let through. */
export const HELD_TEXTS_MAX = 1_024
/** Texts written in one batch. */
export const HISTORY_BATCH_MAX = 256
/** Devices told in one history request. */
export const DEVICES_ASKED_MAX = 512
/** Largest request of the history exchange. */
export const HISTORY_REQUEST_BYTES_MAX: number = 256 * 1_024
/** Largest answer of the history exchange. */
export const HISTORY_ANSWER_BYTES_MAX: number = 256 * 1_024
/** Texts in one answer of the history exchange. */
export const TEXTS_PER_ANSWER_MAX = 1_024
/** Texts that one member catches up with by asking another again and again. */
export const CATCH_UP_TEXTS_MAX = 4_096
/** The same for texts of devices that it never heard. */
export const CATCH_UP_UNKNOWN_MAX = 512
/** Answers read from one member in a row. */
export const HISTORY_ROUNDS_MAX = 24
/** History requests one peer may make at once. */
export const HISTORY_BURST = 48
/** History requests one peer may make per second in the long run. */
export const HISTORY_PER_SECOND = 1
/** How often a member is asked for what was missed, with nothing known to be missing; jittered. */
export const HISTORY_INTERVAL_MS: number = 20 * SECOND_MS
/** Wait between questions while something is known to be missing. */
export const HISTORY_RETRY_MS: number = 2 * SECOND_MS
/** Members that have to tell their history soon after a room was joined, and after the last connection was lost in between. */
export const HISTORY_JOIN_PEERS = 3
/** Members asked in a row for that, when they do not answer. */
export const HISTORY_TRIED_MAX = 32
/** Members that wait to be asked for their history. */
export const HISTORY_QUEUE_MAX = 8
/** Texts of the history that a person who joins is shown. */
export const HISTORY_SHOWN = 100
/** How soon after it was seen it is remembered that something was. */
export const READ_WRITE_MS: number = SECOND_MS

/** The protocol by which peers keep messages for people who are away. */
export const MAILBOX_PROTOCOL = '/elastos/mailbox/2.0.0'
/** Domain of what a mailbox's names and keys are hashed from. */
export const MAILBOX_DOMAIN = 'elastos/mailbox/1'
/** Version field of the mailbox exchange. */
export const MAILBOX_VERSION = 2
/** Bytes of the address of a mailbox. */
export const MAILBOX_ADDRESS_BYTES = 32
/** How long a peer keeps an item. */
export const MAILBOX_KEPT_MS: number = 7 * DAY_MS
/** Largest item. */
export const MAILBOX_ITEM_BYTES_MAX: number = 65 * 1_024
/** What an item counts at least in the quotas of bytes. */
export const MAILBOX_ITEM_BYTES_MIN = 512
/** Items in one deposit, and in one answer. */
export const MAILBOX_ITEMS_MAX = 64
/** Largest request and largest answer of the mailbox exchange. */
export const MAILBOX_MESSAGE_BYTES_MAX: number = 256 * 1_024
/** Items kept in one mailbox; of more the oldest of whoever has the most gives way. */
export const MAILBOX_BOX_ITEMS_MAX = 1_024
/** Items that one depositor may have in one mailbox; of more its oldest gives way. */
export const MAILBOX_BOX_PEER_ITEMS_MAX = 256
/** Bytes kept for one depositor, in all mailboxes. */
export const MAILBOX_PEER_BYTES_MAX: number = 4 * 1_024 * 1_024
/** Bytes kept in all mailboxes. */
export const MAILBOX_BYTES_MAX: number = 64 * 1_024 * 1_024
/** Mailboxes kept, each of which is announced. */
export const MAILBOX_BOXES_MAX = 1_024
/** Mailboxes kept that one depositor opened. */
export const MAILBOX_PEER_BOXES_MAX = 64
/** Mailbox requests one peer may make at once. */
export const MAILBOX_BURST = 64
/** Mailbox requests one peer may make per second in the long run. */
export const MAILBOX_PER_SECOND = 4
/** Peers that an item is given to. */
export const MAILBOX_KEEPERS = 3
/** Peers that are asked to keep an item, or for what they keep. */
export const MAILBOX_PEERS_ASKED_MAX = 8
/** Answers read from one keeper in a row. */
export const MAILBOX_ROUNDS_MAX = 32
/** How often keepers look for what has expired, and announce their mailboxes anew. */
export const MAILBOX_CARE_MS: number = 6 * HOUR_MS
/** How long texts are gathered before they are deposited together. */
export const MAILBOX_GATHER_MS = 500
/**
 * The same while at least {@link PEERS_FEW} members are connected, who have it too: keepers are for when nobody is there, and three exchanges for
 * each text of a busy room cost more than bringing it to its members.
 */
export const MAILBOX_GATHER_COMPANY_MS: number = 15 * SECOND_MS
/** Texts that wait to be deposited; of more the oldest are not. */
export const MAILBOX_WAITING_MAX = 256
/**
 * Waits before a room's mailbox is read: members, who are faster, come first, and whoever just started may know nobody yet. The
 * last one for all further ones.
 */
export const MAILBOX_READ_MS: readonly number[] = [SECOND_MS, 4 * SECOND_MS, 15 * SECOND_MS, 10 * MINUTE_MS]
/** Of those readings so many are left out where at least {@link PEERS_FEW} members are connected: each asks eight keepers, after a search for them. */
export const MAILBOX_EARLY_READS = 2
/** Time that reading or filling a mailbox may take. */
export const MAILBOX_TIMEOUT_MS: number = 20 * SECOND_MS
/** Time that leaving a room may take for what was not deposited yet. */
export const MAILBOX_LEAVE_MS: number = 2 * SECOND_MS

/** Takers of prekeys, each with a person, whose number of takes is remembered; who took longest ago is forgotten first. */
export const DEPOT_TAKERS_MAX = 4_096
/** Requests for prekeys one peer may make at once. */
export const PREKEYS_BURST = 64
/** How often one peer may make one more in the long run. */
export const PREKEYS_EVERY_MS: number = 2 * SECOND_MS
/** Frames of private rooms one peer may hand us at once. */
export const PRIVATE_BURST = 256
/** How often one peer may hand us one more in the long run. */
export const PRIVATE_EVERY_MS = 50
