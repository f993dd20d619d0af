import { CodedError } from '#contracts'

/** The codes of {@link DhtError}. */
export type DhtErrorCode =
  /** An option of the host, such as an address to listen on, is not what its type says. */
  | 'ERR_HOST_OPTION'
  /** None of the addresses to listen on could be bound. */
  | 'ERR_HOST_LISTEN'
  /** The host was used after it was disposed. */
  | 'ERR_HOST_CLOSED'
  /** A text is no multiaddr or peer id. */
  | 'ERR_ADDRESS_INVALID'
  /** The reach of this node forbids that address. */
  | 'ERR_ADDRESS_OUT_OF_REACH'
  /** A peer answered at none of its known addresses. */
  | 'ERR_PEER_UNREACHABLE'
  /** Nobody who was asked knows where a peer is. */
  | 'ERR_PEER_NOT_FOUND'
  /** The peer is on the deny list. */
  | 'ERR_PEER_DENIED'
  /** No DHT peer is known or reachable. */
  | 'ERR_DHT_NO_PEERS'
  /** A DHT operation was not finished within its deadline. */
  | 'ERR_DHT_TIMEOUT'
  /** No peer acknowledged what was to be stored in the DHT. */
  | 'ERR_DHT_NOT_STORED'
  /** A record to store is older than the one already held. */
  | 'ERR_RECORD_SUPERSEDED'
  /** A message to or from a peer is larger than agreed. */
  | 'ERR_MESSAGE_TOO_LARGE'
  /** A socket for bulk could not be opened, or showed another certificate or token than was agreed. */
  | 'ERR_BULK_SOCKET'
  /** A peer ended a request without a whole answer. */
  | 'ERR_REQUEST_FAILED'
  /** A pubsub topic is not subscribed to, or its name is not allowed. */
  | 'ERR_TOPIC_INVALID'
  /** Nobody was there to receive a published message within its deadline. */
  | 'ERR_NO_RECIPIENTS'
  /** A did or an IPNS name has no record that could be found. */
  | 'ERR_NAME_NOT_FOUND'
  /** A name record is malformed, or points to something else than a CID. */
  | 'ERR_NAME_INVALID'
  /** A name record is signed by another key than the name's. */
  | 'ERR_NAME_SIGNER'
  /** A name record is larger than IPNS allows. */
  | 'ERR_NAME_TOO_LARGE'
  /** The latest record of a name does not count any more: its publisher has not renewed it. */
  | 'ERR_NAME_EXPIRED'
  /** A name record is older than one already seen for the same name. */
  | 'ERR_NAME_STALE'
  /** Publishing was refused because the latest record could not be resolved first. */
  | 'ERR_NAME_UNRESOLVED'
  /** A name was changed, by another device perhaps, since the state that the caller built upon. */
  | 'ERR_NAME_CHANGED'
  /** A domain has no `dnslink=` record, or not one that can be followed. */
  | 'ERR_DNSLINK_NOT_FOUND'
  /** A `dnslink=` record is malformed, leads in circles, or through too many others. */
  | 'ERR_DNSLINK_INVALID'
  /** The domain name system did not answer. */
  | 'ERR_DNS_UNREACHABLE'
  /** More names than a node keeps, or a stored record that cannot be read. */
  | 'ERR_NAME_STORE'
  /** A publisher's index is malformed or its block is not what its CID says. */
  | 'ERR_INDEX_INVALID'
  /** A publisher's index is signed by somebody else. */
  | 'ERR_INDEX_SIGNER'
  /** A publisher's index would have, or has, too many entries or bytes. */
  | 'ERR_INDEX_TOO_LARGE'
  /** A kind or name of an entry has characters or a length that an index does not allow. */
  | 'ERR_INDEX_ENTRY_INVALID'
  /** A publisher's index has no such entry. */
  | 'ERR_INDEX_ENTRY_NOT_FOUND'
  /** The IPFS DHT was asked for while it is off. */
  | 'ERR_IPFS_OFF'

/** What goes wrong between this node and the network: addresses, peers, the DHT, names and pubsub. */
export class DhtError extends CodedError<DhtErrorCode> {}
