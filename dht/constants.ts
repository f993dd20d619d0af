/** The protocol id of our Kademlia DHT; the version changes when old and new nodes cannot answer each other. */
export const DHT_PROTOCOL = '/elastos/kad/1.0.0'

/** Where our DHT keeps its records in the node's datastore. */
export const DHT_DATASTORE_PREFIX = '/elastos-dht'

/** The prefix of our DHT's log lines. */
export const DHT_LOG_PREFIX = 'elastos:kad-dht'

/** The prefix of our DHT's metrics. */
export const DHT_METRICS_PREFIX = 'elastos_kad_dht'

/** What every topic we take part in begins with; others are neither tracked nor forwarded. */
export const TOPIC_PREFIX = '/elastos/'

/** How many characters the name of a topic may have. */
export const TOPIC_CHARACTERS_MAX = 256

/** How many topics a host may be subscribed to. */
export const TOPICS_MAX = 256

/** How many bytes one published message may have. */
export const TOPIC_MESSAGE_BYTES_MAX: number = 64 * 1_024

/** One hour in milliseconds. */
export const HOUR_MS: number = 60 * 60 * 1_000

/** The TCP port a node listens on unless told otherwise; a free one is taken when it is occupied. */
export const DEFAULT_PORT = 4697

/** How long a provider record counts; a provider announces again well before it ends. */
export const PROVIDER_VALIDITY_MS: number = 48 * HOUR_MS

/** How many bytes a record in the DHT may have. */
export const RECORD_BYTES_MAX: number = 10 * 1_024

/** How long the addresses of a peer count after they were last named, so that no provider record outlives them. */
export const PEER_ADDRESS_AGE_MAX_MS: number = 48 * HOUR_MS

/** How long a peer that nothing was heard of is remembered. */
export const PEER_AGE_MAX_MS: number = 72 * HOUR_MS

/** How many of the peers met last are kept in memory beside the datastore. */
export const PEERS_CACHED_MAX = 512

/** For how long what was read or written about a peer is taken to stand: a note that says the same is not written again. */
export const PEER_KNOWN_MS: number = 10 * 60 * 1_000

/** After so long a node signs anew where it is: libp2p forgets an address that was not said again for an hour. */
export const PEER_RECORD_AGE_MAX_MS: number = 1 * HOUR_MS

/** How many peers nearest to a key hold what is stored under it (k of Kademlia). */
export const CLOSEST_PEERS = 20

/** Into how many parts of the key space the routing table is divided everywhere, in bits; further only where we are. */
export const TABLE_BITS = 4

/** How many peers a lookup asks at once on each path (alpha of Kademlia). */
export const LOOKUP_CONCURRENCY = 3

/** How many disjoint paths a lookup follows (S/Kademlia). */
export const LOOKUP_PATHS = 3

/** How long after its start a DHT first looks for its own neighbours. */
export const FIRST_SELF_LOOKUP_DELAY_MS = 20

/** How long announcing or finding content may take when the caller says nothing. */
export const ROUTING_TIMEOUT_MS = 30_000

/** How long a node is young: until its routing table was filled by many lookups of its own, whoever came first. */
export const YOUNG_MS: number = 60 * 60 * 1_000

/** How many providers of one CID a search yields. */
export const PROVIDERS_FOUND_MAX = 64

/** How many addresses of one provider are kept. */
export const PROVIDER_ADDRESSES_MAX = 16

/** How many of the nearest peers known a quick announcement goes to. */
export const QUICK_PROVIDE_PEERS = 3

/** How many of the nearest peers known a quick search asks. */
export const QUICK_SEARCH_PEERS = 3

/** How long after a quick announcement the nearest peers are looked for: what the user waits for comes first. */
export const BACKGROUND_PROVIDE_DELAY_MS = 2_000

/** How many announcements may go on in the background. */
export const BACKGROUND_PROVIDES_MAX = 32

/** Bounds of the connections of one host. */
export interface ConnectionLimits {
  /** How many connections it keeps. */
  readonly connectionsMax: number
  /** How many new connections a second it takes from one address. */
  readonly inboundPerSecondMax: number
  /** How many connections may be in their handshake. */
  readonly pendingInboundMax: number
  /** How many dials it makes at once. */
  readonly parallelDialsMax: number
  /** How many addresses of one peer it tries. */
  readonly addressesToDialMax: number
}

/** Bounds of a peer: many others may sit behind one address, such as a carrier's NAT or loopback. */
export const PEER_CONNECTION_LIMITS: ConnectionLimits = {
  connectionsMax: 300,
  inboundPerSecondMax: 100,
  pendingInboundMax: 100,
  parallelDialsMax: 30,
  addressesToDialMax: 8
}

/** Bounds of a seed, where a whole network says its first hello. */
export const SEED_CONNECTION_LIMITS: ConnectionLimits = {
  connectionsMax: 2_000,
  inboundPerSecondMax: 1_000,
  pendingInboundMax: 1_000,
  parallelDialsMax: 30,
  addressesToDialMax: 4
}

/** How many TCP connections may wait to be accepted. */
export const TCP_BACKLOG = 511

/** How many bytes may wait to be sent on one stream before writing to it is an error. */
export const STREAM_WRITE_BUFFER_BYTES_MAX: number = 8 * 1_024 * 1_024

/** How many bytes may be in flight on one stream; with the round trip it bounds the throughput. */
export const STREAM_WINDOW_BYTES_MAX: number = 16 * 1_024 * 1_024

/** Bytes of frames that wait for the end of a turn to be written in one piece; more are written at once. */
export const JOINED_FRAMES_BYTES_MAX: number = 16 * 1_024

/**
 * How often the round trip of a connection is measured, on which the growth of its windows depends, after the first time.
 * Whether it is alive is checked otherwise.
 */
export const ROUND_TRIP_INTERVAL_MS: number = 10 * 60 * 1_000

/** How often an idle connection is checked for being alive. */
export const CONNECTION_CHECK_INTERVAL_MS = 30_000

/** How long the answer to such a check is waited for at least: a busy machine may stand still for as long as libp2p's five seconds. */
export const CONNECTION_CHECK_TIMEOUT_MS = 15_000

/** How many checks in a row may go unanswered by a peer of whom something else comes. */
export const CHECKS_UNANSWERED_MAX = 4

/** How often some of them are, so that not all are in the same moment. */
export const CONNECTION_CHECK_TURN_MS = 1_000

/** How long a dial may take. */
export const DIAL_TIMEOUT_MS = 10_000

/** How long connecting to a peer may take, finding its addresses included. */
export const CONNECT_TIMEOUT_MS = 20_000

/** How long one address of a peer is tried before the next. */
export const ADDRESS_DIAL_TIMEOUT_MS = 5_000

/** The first wait before seeds and known peers are dialled again while nobody is reachable. */
export const JOIN_RETRY_MS_MIN = 500

/** The longest wait before seeds and known peers are dialled again while nobody is reachable. */
export const JOIN_RETRY_MS_MAX = 60_000

/** How many seeds and known peers are dialled at once when joining. */
export const JOIN_PARALLEL_DIALS = 8

/** How many peers in the routing table are enough to stop dialling peers of earlier runs. */
export const JOIN_ENOUGH_PEERS = 4

/** How long a peer that answered may take to enter the routing table. */
export const JOIN_FILL_TIMEOUT_MS = 10_000

/** How many seeds a host takes. */
export const SEEDS_MAX = 32

/** How many bytes a message of the request protocols may have when the caller gives no bound. */
export const EXCHANGE_BYTES_MAX: number = 256 * 1_024

/** How long one request may take, the answer included. */
export const EXCHANGE_TIMEOUT_MS = 10_000

/** How many inbound requests of one protocol a connection may have open. */
export const EXCHANGE_STREAMS_MAX = 16

/** How long stopping waits for peers to be told goodbye. */
export const STOP_TIMEOUT_MS = 3_000

/** How many bytes one gossip message from a peer may have, control messages included. */
export const RPC_BYTES_MAX: number = 256 * 1_024

/** How many entries of each kind one gossip message may have. */
export const RPC_ENTRIES_MAX = 1_024

/** How many bytes of topic subscriptions one peer may make us keep, a fixed cost per topic included. */
export const TOPIC_BYTES_PER_PEER_MAX: number = 512 * 1_024

/** How many peers on one IP address gossip takes before it holds that against them. */
export const PEERS_PER_ADDRESS_MAX = 1_000

/** How many authors of gossip have their key kept ready. */
export const AUTHORS_MAX = 1_024

/** How long a message of others is held at most before it is forwarded, while copies of it may come from other sides. */
export const FORWARD_HOLD_MS_MAX = 12

/**
 * Messages of at least so many bytes are refused to other neighbours as soon as they came from one. Of smaller ones a copy costs
 * no more than the words that spare it: with 700 bytes a delivery among fifty took a quarter more processor time.
 */
export const IDONTWANT_BYTES_MIN: number = 8 * 1_024

/** How many bytes of such messages are held before all go at once. */
export const FORWARDS_HELD_BYTES_MAX: number = 64 * 1_024

/** How long publishing waits for a first recipient. */
export const PUBLISH_TIMEOUT_MS = 10_000

/** How long publishing waits before it tries again. */
export const PUBLISH_RETRY_INTERVAL_MS = 50

/** How many peers may hold a reservation at one seed's relay. */
export const RELAY_RESERVATIONS_MAX = 512

/** How long a reservation at a relay lasts before it has to be renewed. */
export const RELAY_RESERVATION_TTL_MS: number = 2 * HOUR_MS

/** How long one relayed connection may last: enough to find a direct way or for a chat, not for bulk. */
export const RELAY_DURATION_MAX_MS: number = 10 * 60 * 1_000

/** How many bytes one relayed connection may carry each way. */
export const RELAY_BYTES_MAX: number = 4 * 1_024 * 1_024

/** How many relayed connections a seed carries at once. */
export const RELAY_HOP_STREAMS_MAX = 300

/** How many bytes the key and the time of a DHT record add to it. */
export const RECORD_OVERHEAD_BYTES_MAX = 512

/** How many records of others a node holds. */
export const RECORDS_MAX = 100_000

/** How many providers of one content a node remembers; the one heard of longest ago makes room. */
export const PROVIDERS_PER_CONTENT_MAX = 128

/** How many providers of one content an answer names, newest first. */
export const PROVIDERS_ANSWERED_MAX = 32

/** How many provider records of one peer a node holds. */
export const PROVIDER_RECORDS_PER_PEER_MAX = 50_000

/** How many provider records a node holds. */
export const PROVIDER_RECORDS_MAX = 500_000

/** How long a DHT record is kept after it was last received. */
export const RECORD_VALIDITY_MS: number = 48 * HOUR_MS

/** How long a peer may take to answer a ping of the routing table. */
export const PING_TIMEOUT_MS = 5_000

/** How many peers are remembered for the next start. */
export const KNOWN_PEERS_MAX = 64

/** How many of them are dialled at a start. */
export const KNOWN_PEERS_DIALLED_MAX = 64

/** How many addresses of each are remembered. */
export const KNOWN_PEER_ADDRESSES_MAX = 8

/** How long a peer is remembered for a later start. */
export const KNOWN_PEER_AGE_MAX_MS: number = 30 * 24 * HOUR_MS

/** How often the peers to remember are written down, when they are others than before. */
export const KNOWN_PEERS_SAVE_INTERVAL_MS = 60_000

/** After which time they are written down although they are the same, for when they were last seen. */
export const KNOWN_PEERS_RENEW_MS: number = 10 * 60 * 1_000

/** How many bytes all of them may take. */
export const KNOWN_PEERS_BYTES_MAX: number = 64 * 1_024

/** How often our neighbours are looked for, and some buckets of the routing table looked into. */
export const TABLE_REFRESH_INTERVAL_MS: number = 10 * 60 * 1_000

/** In how many of these rounds each bucket is looked into once; the first of a run looks into all. */
export const TABLE_REFRESH_TURNS = 3

/** How long after the first peer the table is filled; others that come in that time are counted in. */
export const TABLE_FIRST_REFRESH_DELAY_MS = 3_000

/** How many buckets are looked into in one round. */
export const TABLE_REFRESH_BUCKETS_MAX = 14

/** How long one lookup of a refresh may take. */
export const TABLE_REFRESH_LOOKUP_TIMEOUT_MS = 10_000

/** How long after a peer of the table hung up it is checked whether it is gone. */
export const TABLE_CARE_DELAY_MS = 4_000

/** How long a peer that hung up may take to be dialled again. */
export const TABLE_CARE_DIAL_TIMEOUT_MS = 5_000

/** How many peers that hung up are dialled at once. */
export const TABLE_CARE_PARALLEL = 4

/** How many peers that hung up wait to be checked. */
export const TABLE_CARE_QUEUE_MAX = 256

/** How often it is checked whether reservations at relays still stand. */
export const RELAY_CHECK_INTERVAL_MS = 10_000

/** How long a relay that holds a reservation may take to answer when it is checked. */
export const RELAY_PING_TIMEOUT_MS = 5_000

/** How many pings may be under way to one peer: of whoever checks the connection, and of whoever checks the relay. */
export const PING_STREAMS_MAX = 2

/** How soon after a relay was lost a new reservation is tried for. */
export const RELAY_RETRY_DELAY_MS = 1_000

/** At how many relays a node holds reservations. */
export const RELAYS_HELD_MAX = 2

/** How long a reservation may take to be made. */
export const RELAY_RESERVE_TIMEOUT_MS = 10_000

/** How many peers found on the local network are dialled at once. */
export const DISCOVERY_PARALLEL_DIALS = 4

/** How many peers found on the local network wait to be dialled. */
export const DISCOVERY_QUEUE_MAX = 64

/** Under which name nodes of this network find each other on the local network. */
export const MDNS_SERVICE_TAG = '_elastos-p2p._udp.local'

/** For how many contents it is remembered that they are not to be announced again. */
export const TRANSIENT_CONTENTS_MAX = 1_024

/** How many peers that just joined a mesh are told once more what was said. */
export const MESH_CATCH_UPS_MAX = 1_024

/** How long lies between the dials of strangers that might enter the routing table. */
export const STRANGER_PING_INTERVAL_MS = 500

/** How many strangers wait to be dialled; each has five seconds from when it was named. */
export const STRANGERS_WAITING_MAX = 6

/** How many peers are checked for the routing table at once; strangers that wait must not hold up who is there. */
export const TABLE_UPDATES_PARALLEL = 16

/** How many addresses one end of a relayed connection offers the other to be dialled directly. */
export const PUNCH_ADDRESSES_MAX = 8

/** How many bytes one message about it may have. */
export const PUNCH_MESSAGE_BYTES_MAX: number = 4 * 1_024

/** How often two ends of a relayed connection try to reach each other directly. */
export const PUNCH_ATTEMPTS_MAX = 3

/** How many relayed connections are being replaced by direct ones at once. */
export const PUNCHES_AT_ONCE_MAX = 32

/** How long one attempt may take: TCP repeats its first packet after one and after three seconds. */
export const PUNCH_TIMEOUT_MS = 5_000

/** How long the other dials of an attempt may still take when one end got through. */
export const PUNCH_SETTLE_MS = 1_000

/** How long a relayed connection stays beside the direct one, for what still runs on it. */
export const RELAYED_GRACE_MS = 10_000

/** Answers that are kept for another search of one lookup: each may keep a whole frame. Who is not among them is asked again. */
export const HEARD_MAX = 32
