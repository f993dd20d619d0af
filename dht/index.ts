/**
 * The network side of a node: the libp2p host, our Kademlia DHT, pubsub, names and the publisher index.
 *
 * @packageDocumentation
 */
export { DhtError } from './errors.ts'
export type { DhtErrorCode } from './errors.ts'
export { DHT_PROTOCOL, PROVIDER_VALIDITY_MS, RECORD_BYTES_MAX } from './constants.ts'
