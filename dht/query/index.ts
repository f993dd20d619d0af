/**
 * Queries of the DHT: the wire protocol, routing table and records of libp2p's kad-dht, without what a query costs there
 * (a stream a message, a dial and a ping for every peer named, a scan of the peer store for every answer).
 *
 * - `lookup(key, signal)` finds the peers nearest to a key; `sendTo(peer, message, signal)` talks to one of them;
 *   `announceTo(peer, keys, signal)` hands it many announcements on one stream. Upkeep is built on these three.
 * - `findProviders`, `provide`, `getValue` and `putValue` are what routing and names are built on.
 *
 * @example
 * ```ts
 * const nearest = await queries.lookup(cid.multihash.bytes, signal)
 * for (const peer of nearest) await queries.announceTo(peer, [cid.multihash.bytes], signal)
 * ```
 */
export { KAD_MESSAGE } from './messages.ts'
export type { KadMessage, WirePeer } from './messages.ts'
export type { DhtPeer, ProvidersAnswer, QueryEngine, StartOptions } from './types.ts'
