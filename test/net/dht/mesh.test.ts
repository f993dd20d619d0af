import assert from 'node:assert/strict'
import { gossipsub } from '@libp2p/gossipsub'
import type { GossipSub } from '@libp2p/gossipsub'
import type { Libp2p } from '@libp2p/interface'
import { startTestHost, until } from './hosts.ts'
import { startStockNode } from './stock-node.ts'

const TOPIC = '/elastos/test/late'

type GossipNode = Libp2p<{ pubsub: GossipSub }>

function inbox({ services }: GossipNode): string[] {
  const texts: string[] = []
  services.pubsub.addEventListener('message', ({ detail }) => {
    if (detail.topic === TOPIC) texts.push(Buffer.from(detail.data).toString())
  })
  return texts
}

const subscribersSeenBy = ({ services }: GossipNode): number => services.pubsub.getSubscribers(TOPIC).length

/** What a member hears that comes a moment after the first message was published. */
async function heardByLateComer(speaker: GossipNode, lateComer: GossipNode): Promise<string[]> {
  await lateComer.dial(speaker.getMultiaddrs())
  await until(() => [speaker, lateComer].every(({ services }) => services.pubsub.getPeers().length === 1))
  const heard = inbox(lateComer)
  speaker.services.pubsub.subscribe(TOPIC)
  await until(() => subscribersSeenBy(lateComer) === 1)
  await speaker.services.pubsub.publish(TOPIC, Buffer.from('first'))
  lateComer.services.pubsub.subscribe(TOPIC)
  await until(() => subscribersSeenBy(speaker) === 1)
  await speaker.services.pubsub.publish(TOPIC, Buffer.from('second'))
  await until(() => heard.includes('second'))
  return heard
}

describe('joining a mesh', () => {
  it('stock gossipsub: what was said just before is never heard; ours: it is', async () => {
    const services = { pubsub: gossipsub({ allowPublishToZeroTopicPeers: true }) }
    await using stockSpeaker = await startStockNode({ services })
    await using stockLateComer = await startStockNode({ services })
    const stock = await heardByLateComer(
      stockSpeaker as unknown as GossipNode,
      stockLateComer as unknown as GossipNode
    )
    assert.deepEqual(stock, ['second'])

    await using speaker = await startTestHost()
    await using lateComer = await startTestHost()
    const heard = await heardByLateComer(speaker.libp2p, lateComer.libp2p)
    await until(() => heard.length === 2)
    assert.deepEqual(heard.toSorted(), ['first', 'second'])
  })
})
