import type { PeerId } from '@libp2p/interface'
import type { KadDHT, QueryEvent } from '@libp2p/kad-dht'

/** How kad-dht talks to one peer. */
export interface KadNetwork {
  /** Sends a message that is not answered; yields `PEER_RESPONSE` once it was taken. */
  sendMessage(to: PeerId, message: object, options: object): AsyncIterable<QueryEvent>
  /** Sends a request; yields `PEER_RESPONSE` with the answer. */
  sendRequest(to: PeerId, message: object, options: object): AsyncIterable<QueryEvent>
}

/** What messages outside of a query say of their place in it. */
export const NO_PATH: object = { index: -1, queued: 0, running: 0, total: 0 }

/** What kad-dht has beyond its declared interface; held by the tests of `provideQuick` and of quick searches. */
export function kadNetworkOf(dht: KadDHT): KadNetwork {
  return (dht as unknown as { readonly network: KadNetwork }).network
}
