/** The part of the control protocol about the DHT and names. See docs/protocols/control.md. */

/** How far an answer of the DHT can be trusted. */
export interface ConfidenceStatus {
  /** `doubtful`: it looks as if somebody had surrounded the key; `weak`: too few peers to go by. */
  readonly level: 'good' | 'weak' | 'doubtful'
  readonly doubts: readonly ('no-peers' | 'few-peers' | 'crowded')[]
  /** How many peers answered. */
  readonly peers: number
  /** How many peers the network has, estimated. */
  readonly networkSize?: number
}

/** What a name points to, and how fresh that is. */
export interface NameStatus {
  readonly cid: string
  /** What follows the CID in a domain's link. */
  readonly path?: string
  /** Grows with every change; absent for a domain that points to a CID itself. */
  readonly sequence?: string
  readonly validUntilMs?: number
  /** When it was signed, by its publisher's clock, where the record says so. */
  readonly signedAtMs?: number
  /** How many peers answered, and how many of them gave this very value. */
  readonly peersAsked?: number
  readonly peersAgreed?: number
  /** True when the network had nothing and this node's memory gave it. */
  readonly isFromMemory?: boolean
  readonly confidence?: ConfidenceStatus
  /** The domains that led there, in order. */
  readonly domains?: readonly string[]
}

/** A name points to something newer, or for the first time. */
export interface NameEvent {
  readonly kind: 'name'
  readonly name: NameStatus
}

/** What one pass over the key space came to. */
export interface ProvidePassStatus {
  readonly announced: number
  readonly failed: number
  readonly records: number
  readonly lookups: number
  readonly regions: number
}

/** How announcing again goes in one DHT; times are milliseconds since the epoch. */
export interface ProvideNetworkStatus {
  readonly network: 'elastos' | 'ipfs'
  readonly contents: number
  /** How many of those nobody has taken yet, or not when it was tried last. */
  readonly unannounced: number
  /** How much of the key space this cycle has passed, 0 to 1. */
  readonly progress: number
  readonly cycleStartedAtMs: number
  readonly cycleMs: number
  readonly lastAtMs?: number
  readonly nextAtMs?: number
  readonly current: ProvidePassStatus
  readonly previous?: ProvidePassStatus
}

/** A peer that says it has a content. */
export interface ProviderPeerStatus {
  readonly peerId: string
  readonly did?: string
  readonly addresses: readonly string[]
}

/** Methods about the DHT and names. */
export interface DhtControlMethods {
  'dht.provide': { params: { cid: string }; result: { cid: string } }
  'dht.provide-status': { params: Record<string, never>; result: { networks: ProvideNetworkStatus[] } }
  'dht.find-providers': {
    params: { cid: string; count?: number }
    result: { providers: ProviderPeerStatus[]; confidence: ConfidenceStatus }
  }
  'dht.find-peer': {
    params: { peer: string }
    result: ProviderPeerStatus & { isConnected: boolean; confidence: ConfidenceStatus }
  }
  'name.resolve': { params: { name: string }; result: NameStatus }
  /** Ends by itself only after `count` values; each comes as an event. */
  'name.follow': { params: { name: string; everyMs?: number; count?: number }; result: { values: number } }
}
