import type { CID } from 'multiformats/cid'

/** A peer as a provider record or another member names it: addresses are hints that nobody signed. */
export interface RoomPeer {
  /** The libp2p PeerId in its usual base58 text form (`12D3Koo…`). */
  readonly peerId: string
  /** Multiaddrs, each with or without the trailing `/p2p/…`; may be empty when the transport can find them. */
  readonly multiaddrs: readonly string[]
}

/** One message from a topic. */
export interface TopicMessage {
  /** The peer that handed the message to us, which need not be its author. */
  readonly from: string
  /** The bytes exactly as published. */
  readonly bytes: Uint8Array
}

/**
 * What becomes of a topic message: `accept` forwards it to other subscribers, `ignore` does not, `reject` does
 * not either and holds it against the peer it came from (the topic validator results of gossipsub v1.1).
 */
export type TopicVerdict = 'accept' | 'ignore' | 'reject'

/** Judges and takes one topic message; synchronous, never throws. */
export type TopicHandler = (message: TopicMessage) => TopicVerdict

/**
 * Answers one request. The transport has authenticated `peerId` and enforced the size limit. A throw or a rejection
 * resets the stream: the requester learns nothing but that it failed.
 */
export type RequestHandler = (request: {
  readonly peerId: string
  readonly bytes: Uint8Array
  readonly signal: AbortSignal
}) => Promise<Uint8Array> | Uint8Array

/**
 * Everything a room needs of the network, declared here by its consumer and joined to the real host, or to an
 * in-memory one in tests, by the composition root. All methods may be called concurrently. A rejected promise
 * means that this one call failed; rooms tries again by itself where that makes sense.
 */
export interface RoomTransport {
  /** Our own addresses as other peers may dial them, most useful first; read anew for each exchange. */
  addresses(): readonly string[]
  /** Announces us as a provider of `cid`; resolves when at least one record was stored. */
  provide(cid: CID, options: { readonly signal: AbortSignal }): Promise<void>
  /**
   * Yields providers of `cid` as they are found, the same one possibly more than once, ourselves possibly
   * included; ends when the search is exhausted. A `quick` one asks few peers and finds those who announced themselves
   * to the same; it takes a small part of the time and work of a thorough one.
   */
  findProviders(
    cid: CID,
    options: { readonly signal: AbortSignal; readonly quick: boolean }
  ): AsyncIterable<RoomPeer>
  /** Opens an authenticated connection to the peer, or does nothing when there is one. */
  connect(peer: RoomPeer, options: { readonly signal: AbortSignal }): Promise<void>
  /**
   * Sends one request on a stream of its own and reads the one answer: length-prefixed bytes each way.
   * Rejects when the answer has more than `responseBytesMax` bytes, without having buffered them.
   */
  request(
    peerId: string,
    protocol: string,
    bytes: Uint8Array,
    options: { readonly signal: AbortSignal; readonly responseBytesMax: number }
  ): Promise<Uint8Array>
  /** Answers requests of `protocol`, each of at most `requestBytesMax` bytes, until the result is disposed. */
  serve(
    protocol: string,
    handler: RequestHandler,
    options: { readonly requestBytesMax: number }
  ): Promise<AsyncDisposable>
  /**
   * Subscribes to a topic until the result is disposed. The handler sees each message of others once, before it
   * is forwarded; our own messages do not come back.
   */
  subscribe(topic: string, handler: TopicHandler): Disposable
  /**
   * Publishes to a subscribed topic and resolves with the number of peers it was handed to. When that is 0, the same
   * bytes may be published again and must not be suppressed as a duplicate.
   */
  publish(topic: string, bytes: Uint8Array): Promise<{ readonly recipients: number }>
  /** The connected peers known to be subscribed to the topic. */
  peersOf(topic: string): readonly string[]
  /**
   * Connected peers that may keep messages for others. A transport without it leaves nothing in mailboxes, and finds only
   * those who announce themselves.
   */
  keepers?(): readonly string[]
  /**
   * Calls `handler` when a connected peer subscribes to the topic, until disposed. A transport without it makes the
   * first message wait for the next retry instead.
   */
  onPeerJoin?(topic: string, handler: (peerId: string) => void): Disposable
}
