import type { PeerId } from '@libp2p/interface'
import type { KadDHT, KadDHTComponents, QueryEvent } from '@libp2p/kad-dht'
import type { DhtTable } from './dht-service.ts'

type Send = (
  to: PeerId,
  message: object,
  options: { readonly signal?: AbortSignal }
) => AsyncIterable<QueryEvent>

/** What kad-dht has beyond its declared interface; held by the test that shows its fault. */
interface KadInternals {
  readonly network: { sendRequest: Send; sendMessage: Send }
}

/** What forgetting needs. */
export interface UnreachablePeersComponents {
  readonly dht: KadDHT
  readonly table: Pick<DhtTable, 'remove'>
  readonly connectionManager: Pick<KadDHTComponents['connectionManager'], 'getConnections'>
}

/**
 * Takes peers out of the routing table that could not be reached when they were asked.
 *
 * Stock kad-dht leaves them there until their bucket is full and somebody else wants in: where nodes come and go, most of
 * a table is soon names of the gone, and each lookup begins by dialling them.
 */
export function forgetUnreachablePeers({ dht, table, connectionManager }: UnreachablePeersComponents): void {
  const { network } = dht as unknown as KadInternals
  const watched = (send: Send): Send =>
    async function* (to, message, options) {
      for await (const event of send(to, message, options)) {
        if (event.name === 'QUERY_ERROR' && options.signal?.aborted !== true) forget(to)
        yield event
      }
    }
  const forget = (peer: PeerId): void => {
    // a peer that is connected is there, and a node that reaches nobody is itself what is wrong
    const connections = connectionManager.getConnections()
    if (connections.length === 0 || connections.some(({ remotePeer }) => remotePeer.equals(peer))) return
    table.remove(peer.toString())
  }
  network.sendRequest = watched(network.sendRequest.bind(network))
  network.sendMessage = watched(network.sendMessage.bind(network))
}
