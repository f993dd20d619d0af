import { noise } from '@chainsafe/libp2p-noise'
import { circuitRelayTransport } from '@libp2p/circuit-relay-v2'
import { identify } from '@libp2p/identify'
import type { Libp2p } from '@libp2p/interface'
import { kadDHT, passthroughMapper } from '@libp2p/kad-dht'
import type { KadDHT, KadDHTInit } from '@libp2p/kad-dht'
import { ping } from '@libp2p/ping'
import { tcp } from '@libp2p/tcp'
import { yamux } from '@libp2p/yamux'
import type { Datastore } from 'interface-datastore'
import { createLibp2p } from 'libp2p'
import type { Libp2pOptions } from 'libp2p'
import { systemClock } from '#contracts'
import { createRecordRules, DHT_PROTOCOL } from '#dht'

/** What a test may say about a stock node. */
export interface StockNodeInit extends Pick<Libp2pOptions, 'connectionManager' | 'peerStore' | 'services'> {
  readonly datastore?: Datastore
  readonly dht?: KadDHTInit
  readonly listen?: string[]
}

/** Plain libp2p with plain kad-dht, speaking our protocol. */
export type StockNode = Libp2p<{ dht: KadDHT }> & AsyncDisposable

/** Starts a node as libp2p's own documentation makes one, without any of our guards. */
export async function startStockNode(init: StockNodeInit = {}): Promise<StockNode> {
  const { datastore, dht, listen = ['/ip4/127.0.0.1/tcp/0'], connectionManager, peerStore, services } = init
  const node = await createLibp2p({
    addresses: { listen },
    transports: [tcp(), circuitRelayTransport()],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
    ...(datastore === undefined ? {} : { datastore }),
    ...(connectionManager === undefined ? {} : { connectionManager }),
    ...(peerStore === undefined ? {} : { peerStore }),
    services: {
      identify: identify(),
      ping: ping(),
      dht: kadDHT({
        protocol: DHT_PROTOCOL,
        datastorePrefix: '/elastos-dht',
        clientMode: false,
        peerInfoMapper: passthroughMapper,
        allowQueryWithZeroPeers: true,
        ...createRecordRules(systemClock),
        ...dht
      }),
      ...services
    }
  })
  return Object.assign(node as unknown as Libp2p<{ dht: KadDHT }>, {
    [Symbol.asyncDispose]: async () => {
      await node.stop()
    }
  })
}
