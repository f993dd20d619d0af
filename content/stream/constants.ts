/** The protocol id; the major version changes when old and new nodes cannot understand each other. */
export const DAG_PROTOCOL = '/elastos/dag/1.0.0'

/** Bytes of a frame before its payload: one of type, four of length. */
export const FRAME_HEADER_BYTES = 5

/** Bytes of the payload of every frame but a block at most. */
export const CONTROL_BYTES_MAX: number = 256 * 1024

/** CIDs that one ask may begin with. */
export const ASK_ROOTS_MAX = 4_096

/** Bytes of one CID on the wire at most. */
export const ASK_CID_BYTES_MAX = 100

/** Names of the path of one ask at most. */
export const ASK_NAMES_MAX = 64

/** Asks that may wait on one channel, the one that is answered counted. */
export const ASKS_PER_CHANNEL_MAX = 8

/** Steps that one walk may have before it: a block of 2 MiB links to about 50,000. */
export const WALK_STEPS_MAX = 131_072

/** Blocks of one walk that are remembered so that none is sent twice; then it begins to remember anew. */
export const WALK_SEEN_MAX = 16_384

/**
 * Bytes that a peer is granted at first: the root of a large file and its first leaf, the last of which may exceed them. A peer that
 * goes on at once prepares the next blocks while the first is still received, and where both share processors that delays it.
 */
export const FIRST_CREDIT_BYTES: number = 128 * 1024

/** How long after that it is granted the rest, unless a block was stored before: what a fetch may lose by it, once. */
export const REST_CREDIT_AFTER_MS = 10

/** Bytes of memory that are made ready for the first leaf below a root with many links: as many as a leaf of a large file has. */
export const LEAF_BYTES: number = 1024 * 1024

/** The system gives memory when it is touched, so many bytes at a time. */
export const PAGE_BYTES = 4_096

/** Smaller frames are gathered into writes of this many bytes. */
export const WRITE_BYTES: number = 256 * 1024

/** Blocks from this size on are handed to the socket as they are, not copied into a gathered write. */
export const OWN_WRITE_BYTES_MIN: number = 64 * 1024

/** Bytes of the memory that received frames are put together in. */
export const SLAB_BYTES: number = 4 * 1024 * 1024

/**
 * Bytes of the memory that a provider reads the next blocks of an ask into: two of a mebibyte each or one of the largest,
 * with what lies before them in a pack. Less is read before the first block goes out than with more.
 */
export const READ_SLAB_BYTES: number = (2 * 1024 + 64) * 1024

/** Slabs that are kept for that, for all channels: enough for one, two that go out and two that are read. */
export const READ_SLABS_KEPT_MAX = 4

/** Slabs that a fetch keeps for the next blocks that come. */
export const RECEIVE_SLABS_KEPT_MAX = 6

/** How long the first block of a fetch is not stored, unless another comes or somebody waits for it to be. */
export const FIRST_STORED_AFTER_MS = 20

/** Blocks up to this size are copied out of that memory, so that one that is kept keeps no more than itself. */
export const SMALL_BLOCK_BYTES: number = 16 * 1024

/** Bytes handed to a libp2p stream that it has not passed on, beyond which the sender waits. */
export const STREAM_BUFFER_BYTES: number = 256 * 1024

/** CIDs of an ask that count as one request. */
export const ROOTS_PER_REQUEST = 16

/** A channel on which no block was sent for this long may be ended to make room for another. */
export const IDLE_CHANNEL_MS = 5_000

/** Blocks that the server reads in one go. */
export const READ_BLOCKS_MAX = 64

/** Blocks at the beginning of an answer that it reads one by one: of a large file its root and its first leaf. */
export const SINGLE_READS = 2

/** Bytes of blocks in all that a peer may be granted on one channel and has not sent. */
export const CREDIT_BYTES_MAX: number = 64 * 1024 * 1024

/** Everything about the streams that has a bound and may be set. */
export interface StreamLimits {
  /**
   * Channels that peers may have open to us, each peer and all of them; a further one takes the place of the one on
   * which no block was sent for longest.
   */
  readonly channelsPerPeerMax: number
  /** See {@link channelsPerPeerMax}. */
  readonly channelsMax: number
  /** A channel on which nothing is asked or taken for this long is closed. */
  readonly idleTimeoutMs: number
  /** Bytes asked of a peer ahead over a multiplexed stream, and over a socket of our own. */
  readonly streamCreditBytes: number
  /** See {@link streamCreditBytes}. */
  readonly socketCreditBytes: number
  /** A socket of its own is opened to a peer that has sent this many bytes of blocks. */
  readonly socketFromBytes: number
  /** Bytes of blocks received that nobody has taken yet; beyond that no more are asked unless somebody waits. */
  readonly aheadBytesMax: number
  /** Peers that one fetch asks at the same time. */
  readonly peersMax: number
  /** Peers that are connected to at the same time. */
  readonly sessionDialsMax: number
  /** How long connecting to a provider may take. */
  readonly dialTimeoutMs: number
  /** How long one search for providers may take. */
  readonly searchTimeoutMs: number
  /** How long opening a stream may take. */
  readonly openTimeoutMs: number
  /** How long opening a socket beside the stream may take. */
  readonly socketTimeoutMs: number
  /** What a peer owes is also asked of one that has nothing to do, when it sent no block for this long. */
  readonly hedgeAfterMs: number
  /** A peer that owes blocks and sends none for this long is left. */
  readonly stallTimeoutMs: number
  /** Who waits for a block for this long while none comes is told to look elsewhere too. */
  readonly patienceMs: number
  /** How often what peers owe is looked at. */
  readonly sweepIntervalMs: number
}

/** The limits of an exchange that is told none. */
export const DEFAULT_STREAM_LIMITS: StreamLimits = {
  channelsPerPeerMax: 6,
  channelsMax: 64,
  idleTimeoutMs: 60_000,
  streamCreditBytes: 3 * 1024 * 1024,
  socketCreditBytes: 16 * 1024 * 1024,
  socketFromBytes: 256 * 1024,
  aheadBytesMax: 32 * 1024 * 1024,
  peersMax: 8,
  sessionDialsMax: 8,
  dialTimeoutMs: 10_000,
  searchTimeoutMs: 15_000,
  openTimeoutMs: 10_000,
  socketTimeoutMs: 3_000,
  hedgeAfterMs: 400,
  stallTimeoutMs: 6_000,
  patienceMs: 1_500,
  sweepIntervalMs: 100
}

/** Blocks that one fetch may have before it. */
export const EXPECTED_BLOCKS_MAX = 2_000_000

/** Blocks that a peer said it lacks which are remembered for one fetch. */
export const LACKS_PER_PEER_MAX = 65_536

/** Times that a channel to a peer may break before a fetch leaves it alone. */
export const LOSSES_PER_PEER_MAX = 3
