/** How many bytes a message that asks us may have: a record and the addresses of one peer fit many times. */
export const REQUEST_BYTES_MAX: number = 64 * 1_024

/** How many bytes an answer may have: forty peers with many addresses each. */
export const ANSWER_BYTES_MAX: number = 512 * 1_024

/** How many peers of one list of a message are read; what follows is skipped. */
export const PEERS_PER_MESSAGE_MAX = 64

/** How many addresses of one peer are read; what follows is skipped. */
export const ADDRESSES_PER_PEER_MAX = 16

/** How many addresses that are new one naming adds to a peer of which some are known. */
export const ADDRESSES_PER_NAMING_MAX = 4

/** Up to how many bytes what names a peer is remembered, so that it need not be read again. */
export const ENTRY_BYTES_MAX = 512

/** How many bytes the id of a peer may have: 34 for a hash, 38 for an Ed25519 key. */
export const PEER_ID_BYTES_MAX = 64

/** How many bytes the multihash of a content may have, as other implementations have it: 66 for SHA-512, some more inlined. */
export const CONTENT_KEY_BYTES_MAX = 80

/** How many peers that were named lately are remembered, with their addresses. */
export const NAMED_PEERS_MAX = 8_192

/** How long a peer may take to answer one message. */
export const ANSWER_TIMEOUT_MS = 5_000

/** How often it is looked for answers that are overdue. */
export const ANSWER_CHECK_INTERVAL_MS = 500

/** How long it may take to have a stream to a peer, the dial included. */
export const OPEN_TIMEOUT_MS = 8_000

/** How long a stream that nobody uses is kept open: it takes 9 KB of either side, and ending it two packets. */
export const IDLE_STREAM_MS: number = 5 * 60_000

/** How long a stream that a peer opened, and does not use, is kept: longer, so that mostly one side alone ends it. */
export const IDLE_INBOUND_STREAM_MS: number = 6 * 60_000

/** How often idle streams are looked for. */
export const IDLE_CHECK_INTERVAL_MS = 5_000

/** How many streams are kept open to others. */
export const STREAMS_MAX = 512

/** How many messages may be under way on one stream. */
export const PIPELINED_MAX = 64

/** How many bytes of one stream wait to be dealt with before no more are read. */
export const INBOUND_QUEUE_BYTES_MAX: number = 64 * 1_024

/** How many peers a query asks at once. */
export const QUERY_PARALLEL = 5

/** How many at once when each of the nearest has to answer: two turns for the twenty of them, not four. */
export const QUERY_PARALLEL_THOROUGH = 10

/** How many messages one query may send. */
export const QUERY_MESSAGES_MAX = 128

/** How many peers that are not connected one query may dial. */
export const QUERY_DIALS_MAX = 48

/** How many peers one query keeps in mind, nearest first. */
export const CANDIDATES_MAX = 256

/** How long a peer that was asked is waited for before others are asked in its place. */
export const SLOW_ANSWER_MS = 1_000

/** How often a query looks for peers that are slow. */
export const SLOW_CHECK_INTERVAL_MS = 250

/** Among how many of the nearest that were not asked yet one that is connected is preferred. */
export const CONNECTED_WINDOW = 8

/** How many of the nearest peers must have answered before a lookup may stop early. */
export const NEAREST_ANSWERED_MIN = 4

/** How many answers a lookup needs before it may stop early. */
export const ANSWERS_MIN = 6

/** For how many answers in a row nothing nearer may have come up before a lookup stops early. */
export const STABLE_ANSWERS_MIN = 3

/** How many of the nearest peers must name providers before the search for them ends. */
export const PROVIDERS_QUORUM = 4

/** From how many different beginnings those must have been found, where there are as many. */
export const QUORUM_ORIGINS_MIN = 3

/** Which share of those asked may have failed of late while lookups still stop early. */
export const FAILURE_SHARE_MAX = 0.02

/** How much one query counts for that share. */
export const FAILURE_SHARE_WEIGHT = 0.2

/** How many peers that one peer named must have failed before its word counts for nothing. */
export const NAMED_FAILURES_MAX = 4

/** How many times as many of them must have failed as have answered. */
export const NAMED_FAILURES_RATIO = 3

/** How many peers of one answer a query takes into account; those of ours name twenty. */
export const NAMED_PER_ANSWER_MAX = 24

/** How long a query goes on before it gives what it has. */
export const QUERY_DURATION_MAX_MS = 20_000

/** How long the slow tail of an announcement may take. */
export const STORE_TAIL_MAX_MS = 15_000

/** How many peers are told of an announcement at once. */
export const STORE_PARALLEL = 10

/** Which part of the nearest peers has to have an announcement before the announcer is answered. */
export const STORED_ENOUGH = 0.75

/** How many announcements are handed over before their receipt is asked for. */
export const ANNOUNCE_BATCH = 32

/** For how long the addresses of a peer of the table are answered with before the peer store is asked again. */
export const ADDRESSES_FRESH_MS = 60_000

/** How long after a peer's addresses were written down the same addresses are not written down again. */
export const ADDRESSES_MERGED_MS: number = 10 * 60_000

/** How many peers' addresses are kept ready for answers. */
export const ADDRESSES_CACHED_MAX = 4_096
