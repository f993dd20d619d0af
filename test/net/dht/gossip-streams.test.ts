import assert from 'node:assert/strict'
import { gossipsub } from '@libp2p/gossipsub'
import type { GossipSub } from '@libp2p/gossipsub'
import type { Libp2p } from '@libp2p/interface'
import { systemClock } from '#contracts'
import { startTestHost, until } from './hosts.ts'
import { startStockNode } from './stock-node.ts'

type GossipNode = Libp2p<{ pubsub: GossipSub }>

const TOPIC = '/elastos/test/two-ways'

/** Connects two nodes twice, then closes the first connection, on which gossip runs. */
async function replaceConnection(a: GossipNode, b: GossipNode): Promise<void> {
  for (const node of [a, b]) node.services.pubsub.subscribe(TOPIC)
  const first = await a.dial(b.getMultiaddrs())
  await until(() => [a, b].every(({ services }) => services.pubsub.getSubscribers(TOPIC).length === 1))
  await a.dial(b.getMultiaddrs(), { force: true })
  await until(() => a.getConnections().length === 2 && b.getConnections().length === 2)
  // gossip hears of a connection when its peer is identified on it
  await systemClock.sleep(700)
  first.abort(new Error('the way it went is gone'))
  await until(() => a.getConnections().length === 1 && b.getConnections().length === 1)
}

/** How many streams of gossip a node has opened to others. */
const streamsOf = ({ services }: GossipNode): number =>
  (services.pubsub as unknown as { streamsOutbound: Map<string, unknown> }).streamsOutbound.size

describe('gossip over two connections to one peer', () => {
  it('stock gossipsub: is never heard again when the first of them ends; ours: is', async () => {
    const services = { pubsub: gossipsub({ allowPublishToZeroTopicPeers: true }) }
    await using stockA = await startStockNode({ services })
    await using stockB = await startStockNode({ services })
    await replaceConnection(stockA as unknown as GossipNode, stockB as unknown as GossipNode)
    await systemClock.sleep(2_500)
    assert.equal(streamsOf(stockA as unknown as GossipNode), 0)

    await using a = await startTestHost()
    await using b = await startTestHost()
    await replaceConnection(a.libp2p, b.libp2p)
    const heard = Promise.withResolvers<string>()
    b.libp2p.services.pubsub.addEventListener('message', ({ detail }) => {
      heard.resolve(Buffer.from(detail.data).toString())
    })
    await until(() => streamsOf(a.libp2p) === 1)
    await a.pubsub.publishUntilHeard(TOPIC, Buffer.from('still here'))
    assert.equal(await heard.promise, 'still here')
  })
})
