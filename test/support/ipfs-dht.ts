import { noise } from '@chainsafe/libp2p-noise'
import { identify } from '@libp2p/identify'
import type { Identify } from '@libp2p/identify'
import type { Libp2p } from '@libp2p/interface'
import { kadDHT, passthroughMapper } from '@libp2p/kad-dht'
import type { KadDHT } from '@libp2p/kad-dht'
import { ping } from '@libp2p/ping'
import type { Ping } from '@libp2p/ping'
import { tcp } from '@libp2p/tcp'
import { yamux } from '@libp2p/yamux'
import { ipnsSelector } from 'ipns/selector'
import { ipnsValidator } from 'ipns/validator'
import { createLibp2p } from 'libp2p'

/** A node that knows nothing of this project and serves an IPFS DHT. */
export type IpfsServer = Libp2p<{ identify: Identify; ping: Ping; dht: KadDHT }>

/** A small IPFS DHT on loopback; disposing it stops its nodes. */
export interface IpfsNetwork extends AsyncDisposable {
  readonly servers: readonly IpfsServer[]
  /** Multiaddrs with `/p2p/…` to join it by. */
  readonly addresses: readonly string[]
}

/** Starts `size` connected servers of the DHT `protocol`. */
export async function startIpfsNetwork(size: number, protocol = '/ipfs/lan/kad/1.0.0'): Promise<IpfsNetwork> {
  await using stack = new AsyncDisposableStack()
  const servers: IpfsServer[] = []
  for (let index = 0; index < size; index++) {
    const server = await startServer(protocol)
    stack.defer(() => server.stop())
    for (const other of servers) await server.dial(other.getMultiaddrs())
    servers.push(server)
  }
  const running = stack.move()
  return {
    servers,
    addresses: servers.flatMap((server) => server.getMultiaddrs().map(String)),
    [Symbol.asyncDispose]: () => running.disposeAsync()
  }
}

async function startServer(protocol: string): Promise<IpfsServer> {
  return createLibp2p({
    addresses: { listen: ['/ip4/127.0.0.1/tcp/0'] },
    transports: [tcp()],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
    connectionMonitor: { enabled: false },
    services: {
      identify: identify(),
      ping: ping(),
      dht: kadDHT({
        protocol,
        clientMode: false,
        peerInfoMapper: passthroughMapper,
        allowQueryWithZeroPeers: true,
        initialQuerySelfInterval: 20,
        validators: { ipns: ipnsValidator },
        selectors: { ipns: ipnsSelector }
      })
    }
  })
}

/** Who a server says provides a CID. */
export async function providersSeenBy(
  server: IpfsServer,
  cid: Parameters<KadDHT['findProviders']>[0]
): Promise<string[]> {
  const found: string[] = []
  for await (const { id } of server.contentRouting.findProviders(cid)) found.push(id.toString())
  return found
}
