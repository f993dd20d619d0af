import assert from 'node:assert/strict'
import { withBitswap } from '@helia/bitswap'
import { withLibp2pLight, type HeliaWithLibp2p } from '@helia/libp2p'
import { unixfs } from '@helia/unixfs'
import { noise } from '@chainsafe/libp2p-noise'
import { identify } from '@libp2p/identify'
import { kadDHT, passthroughMapper, type KadDHT } from '@libp2p/kad-dht'
import { ping } from '@libp2p/ping'
import { tcp } from '@libp2p/tcp'
import { yamux } from '@libp2p/yamux'
import { multiaddr } from '@multiformats/multiaddr'
import { MemoryBlockstore } from 'blockstore-core'
import { MemoryDatastore } from 'datastore-core'
import { createHeliaLight } from 'helia'
import type { CID } from 'multiformats/cid'
import { systemClock } from '#contracts'
import { createRecordRules, DHT_PROTOCOL } from '#dht'
import { startContentNode, type ContentNode } from '../content/content-nodes.ts'
import { patternBytes } from '../content/exchange-nodes.ts'
import { startTestHost, until } from './hosts.ts'

const FILE_BYTES = 3_000_000
const NODES = 3
const TIMEOUT_MS = 30_000

type StockServices = { readonly dht: KadDHT }
type Stock = HeliaWithLibp2p<StockServices & Record<string, unknown>>

/** Helia as published, with stock kad-dht that speaks our protocol. */
async function startStock(seed: string): Promise<Stock & AsyncDisposable> {
  const bare = createHeliaLight({ blockstore: new MemoryBlockstore(), datastore: new MemoryDatastore() })
  const node = withBitswap(
    withLibp2pLight(bare, {
      addresses: { listen: ['/ip4/127.0.0.1/tcp/0'] },
      transports: [tcp()],
      connectionEncrypters: [noise()],
      streamMuxers: [yamux()],
      services: {
        identify: identify(),
        ping: ping(),
        dht: kadDHT({
          protocol: DHT_PROTOCOL,
          clientMode: false,
          peerInfoMapper: passthroughMapper,
          ...createRecordRules(systemClock)
        })
      }
    })
  ) as unknown as Stock
  await node.start()
  await node.libp2p.dial(multiaddr(seed))
  return Object.assign(node, {
    [Symbol.asyncDispose]: async () => {
      await node.stop()
    }
  })
}

describe('a network of stock nodes and ours', () => {
  it('finds and fetches both ways what either has', async () => {
    await using stack = new AsyncDisposableStack()
    const seed = stack.use(await startTestHost({ role: 'seed' }))
    const [address = ''] = seed.addresses()
    const stocks: Stock[] = []
    for (let count = 0; count < NODES; count++) stocks.push(stack.use(await startStock(address)))
    const ours: ContentNode[] = []
    for (let count = 0; count < NODES; count++)
      ours.push(stack.use(await startContentNode({ bootstrapPeers: seed.addresses() })))
    await until(() => seed.reachability().tableSize === 2 * NODES)
    const [first, last] = [ours[0] as ContentNode, ours.at(-1) as ContentNode]
    const [maker, reader] = [stocks[0] as Stock, stocks.at(-1) as Stock]

    const theirs = await unixfs(maker).addBytes(patternBytes(FILE_BYTES, 1))
    for await (const _event of maker.libp2p.services.dht.provide(theirs)) continue
    const got = await last.content.read(theirs, '', { bytesMax: FILE_BYTES })
    assert.ok(Buffer.from(patternBytes(FILE_BYTES, 1)).equals(got))

    const added = await first.content.addFiles([{ path: 'file', content: patternBytes(FILE_BYTES, 2) }])
    assert.equal(added.announcement.state, 'announced')
    assert.ok(Buffer.from(patternBytes(FILE_BYTES, 2)).equals(await readBy(reader, added.cid)))
  }).timeout(2 * TIMEOUT_MS)
})

/** What a stock node reads of a folder's file: its own DHT names the provider, its own bitswap fetches. */
async function readBy(reader: Stock, folder: CID): Promise<Uint8Array> {
  const signal = AbortSignal.timeout(TIMEOUT_MS)
  for await (const event of reader.libp2p.services.dht.findProviders(folder, { signal })) {
    if (event.name !== 'PROVIDER' || event.providers.length === 0) continue
    const providers = event.providers.map(({ id }) => id.toCID())
    const blockstore = reader.blockstore.createSession(folder, { providers })
    const parts: Uint8Array[] = []
    const options = { path: 'file', signal }
    for await (const part of unixfs({ ...reader, blockstore }).cat(folder, options)) parts.push(part)
    blockstore.close()
    return Buffer.concat(parts)
  }
  throw new Error('expected a provider')
}
