/** Units a second: in all, for one peer, for one protocol; where one is left out there is no such limit. */
export interface Rates {
  readonly total?: number
  readonly peer?: number
  readonly protocol?: number
}

/** Limits of what travels between this node and its peers; each can be replaced through {@link FlowInit}. */
export interface FlowLimits {
  /** Bytes handed over for one peer that its sockets have not taken. */
  readonly sendingBytesPerPeerMax: number
  /** The same for all peers over one protocol, so that none takes all the room from the others. */
  readonly sendingBytesPerProtocolMax: number
  /** The same for all peers together. */
  readonly sendingBytesMax: number
  /** Sends of one channel that wait for their turn; more fail at once. */
  readonly waitingPerChannelMax: number
  /** Peers whose pace is remembered; the one heard of longest ago is forgotten first. */
  readonly peersMax: number
  /** Requests a second; who asks more waits. */
  readonly requests: Rates
  /** When others wait for room, a peer that took nothing for this long is given up. */
  readonly stallMs: number
  /** Bytes granted at a time at most. */
  readonly pieceBytesMax: number
  /** Bytes granted at a time under the smallest cap. */
  readonly pieceBytesMin: number
  /** What was not used may be caught up with for this long. */
  readonly burstMs: number
}

/** The limits of a node that is told none. */
export const DEFAULT_FLOW_LIMITS: FlowLimits = {
  sendingBytesPerPeerMax: 8 * 1024 * 1024,
  sendingBytesPerProtocolMax: 48 * 1024 * 1024,
  sendingBytesMax: 64 * 1024 * 1024,
  waitingPerChannelMax: 1_024,
  peersMax: 4_096,
  requests: { peer: 2_000, total: 20_000 },
  stallMs: 5_000,
  pieceBytesMax: 256 * 1024,
  pieceBytesMin: 4 * 1024,
  burstMs: 250
}

/** Pieces a second under a cap: often enough that a peer waiting for the next sees that we live. */
const PIECES_PER_SECOND = 8

/** Bytes to grant at a time, so that a small cap makes bytes trickle instead of coming in bursts. */
export function pieceBytesOf(rates: Rates, limits: FlowLimits): number {
  const lowest = Math.min(rates.total ?? Infinity, rates.peer ?? Infinity, rates.protocol ?? Infinity)
  const piece = Math.floor(lowest / PIECES_PER_SECOND)
  return Math.max(limits.pieceBytesMin, Math.min(limits.pieceBytesMax, piece))
}
