import type { CID } from 'multiformats/cid'

/**
 * How content gets blocks from other peers: what `content` needs, declared here by the consumer. Bitswap
 * implements it; tests implement it over another node's store.
 *
 * Serving is the exchange's own affair: it is given `mayServe` and the store when it is started.
 */
export interface BlockExchange {
  /**
   * True when every block it resolves with was hashed against its CID by the exchange itself (bitswap: it must,
   * to know whom to blame). False makes the caller hash; either way a wrong block never reaches the store.
   */
  readonly verifiesBlocks: boolean
  /** Starts to look for those who have `root`; ends when `signal` aborts. Costs nothing until the first fetch. */
  createSession(init: { root: CID; signal: AbortSignal }): BlockSession
  /** One block outside any session: asks who is connected, then routing. Fails like {@link BlockSession.fetch}. */
  fetch(cid: CID, options: { signal: AbortSignal }): Promise<Uint8Array>
  /** This block has just been stored: whoever waits for it and may have it can be sent it. Never throws. */
  notify(cid: CID): void
}

/** Fetching the blocks of one DAG from the few peers that have it. */
export interface BlockSession {
  /**
   * The block of `cid`. The session does not write it to the store; the caller does.
   * Calls may overlap (content keeps up to `READ_AHEAD_BLOCKS` open).
   *
   * @throws ContentError as soon as the search is over without result: `ERR_CONTENT_NO_PROVIDERS`,
   *   `ERR_PROVIDER_UNREACHABLE` or `ERR_CONTENT_NOT_FOUND`; the reason of `signal` when that aborts
   */
  fetch(cid: CID, options: { signal: AbortSignal }): Promise<Uint8Array>
  /** What the search has met until now; names the reason when a deadline ends it. */
  report(): SessionReport
}

/** Counters of one session. */
export interface SessionReport {
  /** Provider records seen, by distinct peer, ourselves not counted. */
  readonly providersFound: number
  /** Of those, and of peers connected before, how many were asked over a connection. */
  readonly peersAsked: number
  /** Peers that were found and could not be connected to. */
  readonly peersUnreachable: number
  /** False when there is no content routing, so that only connected peers were asked. */
  readonly hasRouting: boolean
}

/** How content is announced and found: narrow view of the DHT, with text peer ids. */
export interface ContentRouting {
  /**
   * Tells the network that this node provides `cid`. With `transient` content itself announces again what is still
   * public, and the routing must not do it from a memory of its own; without, the routing does, until `forget`.
   *
   * @throws when no other peer took the record
   */
  provide(cid: CID, options: { signal: AbortSignal; transient?: true }): Promise<unknown>
  /**
   * Makes what the routing announces again by itself be exactly these roots. Where it is there, announcing again is left
   * to the routing, which needs far less than a lookup for each.
   */
  keepOnly?(cids: Iterable<CID>, options: { signal: AbortSignal }): Promise<unknown>
  /** `cid` is not public any more: nothing about it must be announced from now on. */
  forget?(cid: CID, options: { signal: AbortSignal }): Promise<unknown>
  /** Those who said they provide `cid`, as they are found. */
  findProviders(
    cid: CID,
    options: { signal: AbortSignal }
  ): AsyncIterable<{ readonly peerId: string; readonly multiaddrs: readonly string[] }>
}
