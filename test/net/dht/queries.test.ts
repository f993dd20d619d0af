import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import type { Stream } from '@libp2p/interface'
import { multiaddr } from '@multiformats/multiaddr'
import { systemClock } from '#contracts'
import { DHT_PROTOCOL } from '#dht'
import type { Host } from '#dht'
import { KAD_MESSAGE } from '../../../dht/query/index.ts'
import { createPeerBook } from '../../../dht/query/peer-book.ts'
import { startStreamPool } from '../../../dht/query/pool.ts'
import type { StreamPool } from '../../../dht/query/pool.ts'
import { cidOf } from '../../support/memory-names.ts'
import { startTestHost, until } from './hosts.ts'
import { startStockNode } from './stock-node.ts'
import type { StockNode } from './stock-node.ts'

const { signal } = new AbortController()
const keyOf = (text: string): Uint8Array =>
  Uint8Array.of(0x12, 0x20, ...createHash('sha256').update(text).digest())

/** A pool that sends from a stock node. */
function poolOf(node: StockNode): StreamPool {
  const { connectionManager } = (
    node as unknown as {
      components: { connectionManager: Parameters<typeof startStreamPool>[0]['connectionManager'] }
    }
  ).components
  const init = { connectionManager, protocol: DHT_PROTOCOL, isKnown: () => true, mayDial: () => true }
  return startStreamPool({ ...init, clock: systemClock })
}

function streamsTo(node: StockNode): Stream[] {
  return node
    .getConnections()
    .flatMap(({ streams }) => streams)
    .filter(({ protocol, direction }) => protocol === DHT_PROTOCOL && direction === 'outbound')
}

async function providersOf(host: Host, text: string): Promise<string[]> {
  const found: string[] = []
  for await (const { peerId } of host.routing.findProviders(await cidOf(text))) found.push(peerId)
  return found
}

describe('streams of the DHT', () => {
  const book = createPeerBook()

  it('carry one message after the other, to a stock node and to ours', async () => {
    await using asking = await startStockNode({ dht: { clientMode: true } })
    await using stock = await startStockNode()
    await using ours = await startTestHost()
    using pool = poolOf(asking)
    const [address = ''] = ours.addresses()
    await asking.dial(multiaddr(address))
    await asking.dial(stock.getMultiaddrs())
    for (const peerId of [stock.peerId.toString(), ours.peerId]) {
      const to = book.ofText(peerId)
      const before = pool.metrics().streams
      const asked = Array.from({ length: 20 }, async (_, index) =>
        pool.request(to, { type: KAD_MESSAGE.getProviders, key: keyOf(`content ${index}`) }, signal)
      )
      const answers = await Promise.all(asked)
      // in order: each is about what was asked
      answers.forEach(({ key }, index) =>
        assert.deepEqual(Buffer.from(key ?? []), Buffer.from(keyOf(`content ${index}`)))
      )
      assert.equal(pool.metrics().streams - before, 1)
    }
  })

  it('are opened anew when the other side has given one up', async () => {
    await using asking = await startStockNode({ dht: { clientMode: true } })
    await using stock = await startStockNode()
    using pool = poolOf(asking)
    await asking.dial(stock.getMultiaddrs())
    const to = book.ofText(stock.peerId.toString())
    const message = { type: KAD_MESSAGE.findNode, key: keyOf('anything') }
    await pool.request(to, message, signal)
    for (const { streams } of stock.getConnections()) {
      for (const stream of streams) if (stream.protocol === DHT_PROTOCOL) stream.abort(new Error('tired'))
    }
    await pool.request(to, message, signal)
    assert.equal(pool.metrics().streams, 2)
    assert.equal(pool.metrics().failures, 0)
    await until(() => streamsTo(asking).length === 1)
  })

  it('are reset by a node that is sent garbage or more than it takes, and nothing else is', async () => {
    await using asking = await startStockNode({ dht: { clientMode: true } })
    await using ours = await startTestHost()
    const [address = ''] = ours.addresses()
    await asking.dial(multiaddr(address))
    const peerId = asking.getConnections()[0]?.remotePeer
    assert.ok(peerId)
    const hostile = [
      Buffer.from('03ffffff', 'hex'),
      Buffer.from('ffffff7f', 'hex'),
      Buffer.from('020804', 'hex')
    ]
    for (const bytes of hostile) {
      const stream = await asking.dialProtocol(peerId, DHT_PROTOCOL)
      const ended = new Promise((resolve) => stream.addEventListener('close', resolve, { once: true }))
      stream.send(bytes)
      await ended
      assert.equal(stream.status, 'reset')
    }
    assert.equal(asking.getConnections().length, 1)
  })

  it('say whether an announcement was taken', async () => {
    await using asking = await startStockNode({ dht: { clientMode: true } })
    await using ours = await startTestHost()
    using pool = poolOf(asking)
    const [address = ''] = ours.addresses()
    await asking.dial(multiaddr(address))
    const to = book.ofText(ours.peerId)
    const id = asking.peerId.toMultihash().bytes
    const providers = [{ id, multiaddrs: asking.getMultiaddrs().map(({ bytes }) => bytes) }]
    const type = KAD_MESSAGE.addProvider
    await pool.tell(to, [{ type, key: keyOf('film'), providers }], signal)
    const answer = await pool.request(to, { type: KAD_MESSAGE.getProviders, key: keyOf('film') }, signal)
    assert.deepEqual(
      answer.providers?.map((peer) => Buffer.from(peer.id)),
      [Buffer.from(id)]
    )
    await assert.rejects(pool.tell(to, [{ type, key: randomBytes(3), providers }], signal), {
      code: 'ERR_REQUEST_FAILED'
    })
  })
})

describe('a DHT of stock nodes and ours', () => {
  it('finds both ways what either announced', async () => {
    await using seed = await startTestHost({ role: 'seed' })
    const [address = ''] = seed.addresses()
    await using stockA = await startStockNode()
    await using stockB = await startStockNode()
    for (const stock of [stockA, stockB]) await stock.dial(multiaddr(address))
    await using ours = await startTestHost({ bootstrapPeers: seed.addresses() })
    await until(() => seed.reachability().tableSize === 3)
    for await (const _event of stockA.services.dht.provide(await cidOf('from stock'))) continue
    await ours.routing.provide(await cidOf('from ours'))
    assert.deepEqual(await providersOf(ours, 'from stock'), [stockA.peerId.toString()])
    const found = new Set<string>()
    for await (const event of stockB.services.dht.findProviders(await cidOf('from ours'))) {
      if (event.name === 'PROVIDER') for (const { id } of event.providers) found.add(id.toString())
    }
    assert.deepEqual([...found], [ours.peerId])
  })
})
