/** Limits and pace of one running exchange; each can be replaced through {@link BitswapInit}. */
export interface BitswapLimits {
  /** Streams a peer may have open towards us at a time, on one connection. */
  readonly inboundStreamsMax: number
  /** Bytes of unfinished messages held for one peer over all its streams; more resets the stream. */
  readonly receiveBytesPerPeerMax: number
  /** Bytes of unfinished messages held for all peers together. */
  readonly receiveBytesMax: number
  /** How long opening an outbound stream may take. */
  readonly streamOpenTimeoutMs: number
  /** How long a peer may accept no byte at all of what we send before its stream is given up. */
  readonly sendStallTimeoutMs: number
  /** An outbound stream with nothing to send for this long is closed; below the 10 s after which Helia resets it. */
  readonly streamIdleMs: number
  /** Messages waiting for one peer's outbound stream; more fail at once. */
  readonly sendQueueMax: number
  /** Wants of one peer that we remember. */
  readonly wantsPerPeerMax: number
  /** Wants of all peers that we remember. */
  readonly wantsMax: number
  /** Bytes of blocks loaded for one peer and not yet taken by its stream. */
  readonly servingBytesPerPeerMax: number
  /** Bytes of blocks loaded for all peers and not yet taken by their streams. */
  readonly servingBytesMax: number
  /** Small blocks are gathered into one message up to this many bytes. */
  readonly batchBytes: number
  /** Wants answered in one turn of one peer before another peer has its turn. */
  readonly batchWantsMax: number
  /** Turns that may read from the store at the same time. */
  readonly storeReadsMax: number
  /** When all serving bytes are taken and others wait, a peer that took nothing for this long is dropped. */
  readonly contendedStallMs: number
  /** Fetches one session may have waiting; more are refused. */
  readonly sessionWantsMax: number
  /** Peers one session asks. */
  readonly sessionPeersMax: number
  /** A search for providers stops once a session has this many peers. */
  readonly sessionPeersTarget: number
  /** Connected peers that are asked whether they have the root of a session; 0 asks only those named as providers. */
  readonly probePeersMax: number
  /** Dials one session does at a time. */
  readonly sessionDialsMax: number
  /** How long connecting to one provider may take. */
  readonly dialTimeoutMs: number
  /** How long one search of the content routing may take. */
  readonly searchTimeoutMs: number
  /** How long connected peers are given to answer before the content routing is asked as well. */
  readonly searchDelayMs: number
  /** When connected peers have the content and this long was not enough, more peers are looked for all the same. */
  readonly searchAnywayMs: number
  /** How long connected peers that were asked for a block are waited for before a search counts as over. */
  readonly probeTimeoutMs: number
  /** Searches in a row that bring nobody who helps before a fetch fails. */
  readonly searchRoundsMax: number
  /** The pause before the second search; each later one is twice as long. */
  readonly searchPauseMs: number
  /** Blocks asked at a time of a peer that brought none yet. */
  readonly windowUnproven: number
  /** Blocks asked of a peer at a time after its first. */
  readonly windowInitial: number
  /** Blocks asked of the fastest peer at a time. */
  readonly windowMax: number
  /** A peer that owes blocks and sends nothing for this long is asked no more until others were tried. */
  readonly wantTimeoutMs: number
  /** A block that nobody brought for this long is also asked of another peer; sooner when blocks usually come sooner. */
  readonly hedgeAfterMs: number
  /** The same before the first block came. */
  readonly hedgeFirstMs: number
  /** No block is asked of another peer sooner than this. */
  readonly hedgeMinMs: number
  /** How often wants in flight are looked at for timeouts. */
  readonly sweepIntervalMs: number
  /** Timeouts in a row after which a peer leaves a session. */
  readonly peerTimeoutsMax: number
  /** Times in a row that a peer goes away without having brought a block, after which a session leaves it alone. */
  readonly peerLossesMax: number
  /** Wrong blocks or malformed messages after which a peer is disconnected. */
  readonly strikesMax: number
  /** A misbehaviour is forgiven when none followed for this long. */
  readonly strikesKeptMs: number
  /** How long a disconnected peer is neither dialled nor asked. */
  readonly backoffMs: number
  /** Keys remembered per peer so that a late answer is told from a wrong block. */
  readonly askedPerPeerMax: number
  /** Peers whose conduct is remembered. */
  readonly conductPeersMax: number
}

/** The limits of an exchange that is told none. */
export const DEFAULT_BITSWAP_LIMITS: BitswapLimits = {
  inboundStreamsMax: 64,
  receiveBytesPerPeerMax: 16 * 1024 * 1024,
  receiveBytesMax: 128 * 1024 * 1024,
  streamOpenTimeoutMs: 10_000,
  sendStallTimeoutMs: 20_000,
  streamIdleMs: 5_000,
  sendQueueMax: 256,
  wantsPerPeerMax: 4_096,
  wantsMax: 131_072,
  servingBytesPerPeerMax: 6 * 1024 * 1024,
  servingBytesMax: 64 * 1024 * 1024,
  batchBytes: 64 * 1024,
  batchWantsMax: 256,
  storeReadsMax: 8,
  contendedStallMs: 5_000,
  sessionWantsMax: 16_384,
  sessionPeersMax: 32,
  sessionPeersTarget: 8,
  probePeersMax: 32,
  sessionDialsMax: 8,
  dialTimeoutMs: 10_000,
  searchTimeoutMs: 15_000,
  searchDelayMs: 200,
  searchAnywayMs: 1_000,
  probeTimeoutMs: 1_000,
  searchRoundsMax: 3,
  searchPauseMs: 500,
  windowUnproven: 4,
  windowInitial: 16,
  windowMax: 64,
  wantTimeoutMs: 8_000,
  hedgeAfterMs: 2_000,
  hedgeFirstMs: 300,
  hedgeMinMs: 150,
  sweepIntervalMs: 100,
  peerTimeoutsMax: 3,
  peerLossesMax: 3,
  strikesMax: 3,
  strikesKeptMs: 600_000,
  backoffMs: 60_000,
  askedPerPeerMax: 4_096,
  conductPeersMax: 4_096
}
