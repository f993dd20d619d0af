import type { KadMessage } from './messages.ts'

/** A peer of the DHT as queries know it. */
export interface DhtPeer {
  readonly peerId: string
  /** The multihash of its PeerId, as it is on the wire. */
  readonly id: Uint8Array
  /** Its place in the DHT: the SHA-256 of `id`. */
  readonly kadId: Uint8Array
  /** Where others say it is, binary multiaddrs; empty for a peer that we know from elsewhere. */
  readonly multiaddrs: readonly Uint8Array[]
}

/** How thoroughly to look. */
export interface LookupOptions {
  readonly signal: AbortSignal
  /** How many peers to find. Default: 20. */
  readonly count?: number
  /**
   * Wait for an answer of each of the nearest peers, rather than stopping once nothing nearer has come up for a while.
   * Dearer by about ten messages; for looking after the routing table. Default: false.
   */
  readonly isThorough?: boolean
  /** Told at its end what it took. */
  readonly onEnd?: (cost: LookupCost) => void
}

/** What a lookup took. */
export interface LookupCost {
  /** Peers that were asked. */
  readonly messages: number
  /** The longest chain of questions of which each could only be asked once the one before was answered. */
  readonly rounds: number
}

/** Where to begin. */
export interface StartOptions {
  /** Begin with these peers, by PeerId, and not with those of the routing table: a way that who filled it cannot bend. */
  readonly from?: readonly string[]
  /**
   * What peers answered to the same question in an earlier search of one lookup, and will in this one: nobody is asked twice within
   * the seconds that a lookup takes. Only peers found by different ways make a second search worth it.
   */
  readonly heard?: Map<DhtPeer, KadMessage>
}

/** How to announce. */
export interface ProvideQueryOptions {
  readonly signal: AbortSignal
  /** Told of each peer that has the announcement, with how many there are. */
  readonly onStored?: (stored: number) => void
}

/** What became of an announcement or of a value to store. */
export interface StoreOutcome {
  /** How many peers had it when the answer was given. */
  readonly stored: number
  /** Resolves with how many peers have it in the end; never rejects. */
  readonly settled: Promise<number>
}

/** What one peer answered when it was asked for a value. */
export interface ValueAnswer {
  readonly peer: DhtPeer
  /** The value of the record that it holds under that key, not yet trusted. */
  readonly value?: Uint8Array
}

/** What one peer answered when it was asked for providers. */
export interface ProvidersAnswer {
  /** Who answered. */
  readonly peer: DhtPeer
  /** Who provides it, by its word; nobody when it knows nobody. */
  readonly providers: readonly DhtPeer[]
}

/** Counters since the start. */
export interface QueryMetrics {
  readonly queries: number
  /** Messages that were to be answered, or handed over. */
  readonly messages: number
  /** Those that were not. */
  readonly failures: number
  /** Streams opened for them. */
  readonly streams: number
}

/**
 * Asks the DHT. Queries share one pool of streams, stay within bounds of their own (messages, dials, candidates, time) and
 * end at their signal, or earlier when nobody is left to ask. A query with an empty routing table ends at once.
 */
export interface QueryEngine extends AsyncDisposable {
  /**
   * The peers nearest to `key`, nearest first. `key` is what is on the wire: the multihash of a content or a PeerId, or the
   * key of a record; its SHA-256 is what distances are measured from.
   *
   * @throws the reason of `signal`
   */
  lookup(key: Uint8Array, signal: AbortSignal, options?: Omit<LookupOptions, 'signal'>): Promise<DhtPeer[]>
  /**
   * Sends one message over an open stream to the peer, or a new one, dialling when there is no connection. Resolves with
   * the answer; with `undefined` for an announcement (`ADD_PROVIDER`), which has none, once the peer has dealt with it.
   *
   * @throws {@link DhtError} `ERR_REQUEST_FAILED`, `ERR_DHT_TIMEOUT`, or the reason of `signal`
   */
  sendTo(peer: DhtPeer | string, message: KadMessage, signal: AbortSignal): Promise<KadMessage | undefined>
  /**
   * Announces contents, given by their multihashes, to one peer, one message behind the other on one stream, and resolves
   * with how many of them it has taken. For whoever announces many.
   *
   * @throws as `sendTo` when it took none
   */
  announceTo(peer: DhtPeer | string, keys: readonly Uint8Array[], signal: AbortSignal): Promise<number>
  /**
   * Yields what each peer asked says of who provides a content, the first answer at once. Once enough of the nearest agree
   * that there are providers it ends; while nobody names one, all of the nearest are asked.
   *
   * @throws the reason of `signal`
   */
  findProviders(key: Uint8Array, signal: AbortSignal, options?: StartOptions): AsyncIterable<ProvidersAnswer>
  /** Asks only the `count` nearest peers of the routing table, and nobody whom they name; what is held here comes first. */
  askNearest(key: Uint8Array, count: number, signal: AbortSignal): AsyncIterable<ProvidersAnswer>
  /** Announces a content to the `count` nearest peers known, without looking for nearer ones, and says how many took it. */
  announceNearest(key: Uint8Array, count: number, signal: AbortSignal): Promise<number>
  /**
   * Announces a content to the peers nearest to it. Resolves when enough of them have it; the slow ones are told in the
   * background.
   *
   * @throws the reason of `signal` when it aborts before
   */
  provide(key: Uint8Array, options: ProvideQueryOptions): Promise<StoreOutcome>
  /**
   * Asks all of the nearest peers for a value, an answer each, as they come.
   *
   * @throws the reason of `signal`
   */
  getValue(key: Uint8Array, signal: AbortSignal, options?: StartOptions): AsyncIterable<ValueAnswer>
  /** Stores a value with the nearest peers and resolves when all of them have answered or failed, or time is up. */
  putValue(key: Uint8Array, value: Uint8Array, signal: AbortSignal): Promise<number>
  metrics(): QueryMetrics
}
