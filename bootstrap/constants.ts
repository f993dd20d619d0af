/** Envelope domain of what seeds sign. */
export const BOOTSTRAP_DOMAIN = 'elastos/bootstrap'
/** Payload type of a bootstrap record. */
export const BOOTSTRAP_RECORD_TYPE = 'record/1'
/** Most addresses in a bootstrap record. */
export const RECORD_ADDRESSES_MAX = 16
/** Longest address in a bootstrap record. */
export const RECORD_ADDRESS_CHARS_MAX = 512
/** Longest network name in a bootstrap record. */
export const RECORD_NETWORK_CHARS_MAX = 64
/** Largest bootstrap record that is read. */
export const RECORD_BYTES_MAX = 12_288
/** How long a record is good for: 24 hours, so that a clock some hours off still meets the network. */
export const RECORD_VALID_FOR_MS = 86_400_000
/** Longest validity that is believed: 7 days. */
export const RECORD_VALID_FOR_MS_MAX = 604_800_000
/** How far in the future a record may have been issued: 1 hour. */
export const RECORD_CLOCK_SKEW_MS = 3_600_000
/** How long a seed serves a signed record before it signs anew, unless its addresses change. */
export const RECORD_REUSE_MS = 10_000

/** Most --bootstrap values a node uses. */
export const BOOTSTRAP_VALUES_MAX = 16
/** Longest --bootstrap value that is looked at. */
export const BOOTSTRAP_VALUE_CHARS_MAX = 1024
/** How long a seed may take to answer. */
export const SEED_FETCH_TIMEOUT_MS = 5000
/** Most seeds that are remembered. */
export const KNOWN_SEEDS_MAX = 1000
/** Largest file of remembered seeds that is read. */
export const KNOWN_SEEDS_BYTES_MAX = 524_288

/** Default port of a seed's HTTP endpoint. */
export const SEED_HTTP_PORT = 4480
/** Default port of a seed's metrics, on loopback. */
export const SEED_METRICS_PORT = 4481

/** Bounds of one HTTP listener. */
export interface HttpLimits {
  /** Connections at once; more are closed. */
  readonly connectionsMax: number
  /** Bytes of request line and headers. */
  readonly headerBytesMax: number
  /** Headers of a request. */
  readonly headersMax: number
  /** Time for the headers to arrive. */
  readonly headersTimeoutMs: number
  /** Time for a connection to be idle. */
  readonly idleTimeoutMs: number
}

/** Bounds of a seed's HTTP endpoint and of its metrics. */
export const SEED_HTTP_LIMITS: HttpLimits = {
  connectionsMax: 256,
  headerBytesMax: 8192,
  headersMax: 32,
  headersTimeoutMs: 5000,
  idleTimeoutMs: 10_000
}

/** Bounds of what one address may open; loopback has none. */
export interface AddressLimits {
  /** Connections at once. */
  readonly connectionsMax: number
  /** Connections in a burst. */
  readonly burstMax: number
  /** Connections a second in the long run. */
  readonly perSecond: number
  /** Addresses that are remembered; the one seen longest ago is forgotten. */
  readonly addressesMax: number
}

/** What one address may open at a seed's HTTP endpoint; a carrier's NAT is one address. */
export const HTTP_ADDRESS_LIMITS: AddressLimits = {
  connectionsMax: 16,
  burstMax: 60,
  perSecond: 2,
  addressesMax: 10_000
}
/** What one address may open at a seed's libp2p host. */
export const PEER_ADDRESS_LIMITS: AddressLimits = {
  connectionsMax: 64,
  burstMax: 64,
  perSecond: 8,
  addressesMax: 10_000
}

/** Most entries of the deny list. */
export const DENY_ENTRIES_MAX = 50_000
/** Largest deny list that is read. */
export const DENY_LIST_BYTES_MAX = 16_777_216
/** Longest CID that is looked at. */
export const CID_CHARS_MAX = 256

/** Most combinations of labels of one metric; more are left out. */
export const METRIC_SERIES_MAX = 64
