import assert from 'node:assert/strict'
import { gossipsub } from '@libp2p/gossipsub'
import type { GossipSub } from '@libp2p/gossipsub'
import { RPC } from '@libp2p/gossipsub/message'
import type { Libp2p, PublicKey } from '@libp2p/interface'
import { varint } from 'multiformats'
import { systemClock } from '#contracts'
import { startTestHost, until } from './hosts.ts'
import { startStockNode } from './stock-node.ts'

const TOPIC = '/elastos/test/mixed'

type GossipNode = Libp2p<{ pubsub: GossipSub }>

function inbox({ services }: GossipNode): string[] {
  const texts: string[] = []
  services.pubsub.addEventListener('message', ({ detail }) => {
    if (detail.topic === TOPIC) texts.push(Buffer.from(detail.data).toString())
  })
  return texts
}

/** A line of nodes, each connected to the next, all in one topic. */
async function line(nodes: readonly GossipNode[]): Promise<void> {
  for (const [index, node] of nodes.entries()) {
    const next = nodes[index + 1]
    if (next !== undefined) await node.dial(next.getMultiaddrs())
    node.services.pubsub.subscribe(TOPIC)
  }
  const meshSize = ({ services }: GossipNode): number => {
    const { mesh } = services.pubsub as unknown as { mesh: Map<string, Set<string>> }
    return mesh.get(TOPIC)?.size ?? 0
  }
  await until(() =>
    nodes.every((node, index) => meshSize(node) === (nodes[index - 1] && nodes[index + 1] ? 2 : 1))
  )
}

async function startStock(): Promise<GossipNode & AsyncDisposable> {
  const services = { pubsub: gossipsub({ allowPublishToZeroTopicPeers: true }) }
  return (await startStockNode({ services })) as unknown as GossipNode & AsyncDisposable
}

describe('a mesh of stock nodes and ours', () => {
  it('carries messages through both kinds, from both, once to each', async () => {
    await using stack = new AsyncDisposableStack()
    const nodes = [
      stack.use(await startStock()),
      stack.use(await startTestHost()).libp2p,
      stack.use(await startTestHost()).libp2p,
      stack.use(await startStock()),
      stack.use(await startTestHost()).libp2p
    ]
    await line(nodes)
    const inboxes = nodes.map(inbox)
    for (const [index, { services }] of nodes.entries()) {
      await services.pubsub.publish(TOPIC, Buffer.from(`from ${index}`))
      // large enough for what of gossipsub 1.2 spares copies
      await services.pubsub.publish(TOPIC, Buffer.from(`large from ${index}`.padEnd(2_000)))
    }
    await until(() => inboxes.every(({ length }) => length >= 2 * (nodes.length - 1)))
    for (const [index, texts] of inboxes.entries()) {
      const others = nodes.flatMap((_, from) =>
        from === index ? [] : [`from ${from}`, `large from ${from}`]
      )
      assert.deepEqual(texts.map((text) => text.trimEnd()).toSorted(), others.toSorted())
    }
  })

  it('neither takes nor forwards what its author has not signed', async () => {
    await using liar = await startStock()
    await using middle = await startTestHost()
    await using behind = await startTestHost()
    await line([liar, middle.libp2p, behind.libp2p])
    const inboxes = [middle.libp2p, behind.libp2p].map(inbox)
    await liar.services.pubsub.publish(TOPIC, Buffer.from('true'))
    await until(() => inboxes.every(({ length }) => length === 1))
    const { publicKey } = behind.libp2p.peerId as { publicKey: PublicKey }
    const forged = {
      from: publicKey.toMultihash().bytes,
      seqno: Buffer.alloc(8, 1),
      data: Buffer.from('forged')
    }
    const message = { ...forged, topic: TOPIC, signature: Buffer.alloc(64, 2) }
    write(liar, middle.peerId, RPC.encode({ subscriptions: [], messages: [message] }))
    // bytes that are no message end nothing
    write(liar, middle.peerId, Buffer.from('12ff', 'hex'))
    await liar.services.pubsub.publish(TOPIC, Buffer.from('true too'))
    await until(() => inboxes.every(({ length }) => length === 2))
    await systemClock.sleep(50)
    assert.deepEqual(inboxes, [
      ['true', 'true too'],
      ['true', 'true too']
    ])
  })
})

/** Writes an RPC to a peer as it is. */
function write({ services }: GossipNode, peerId: string, rpc: Uint8Array): void {
  const { streamsOutbound } = services.pubsub as unknown as {
    streamsOutbound: Map<string, { pushPrefixed(bytes: Uint8Array): void }>
  }
  streamsOutbound
    .get(peerId)
    ?.pushPrefixed(
      Buffer.concat([varint.encodeTo(rpc.length, new Uint8Array(varint.encodingLength(rpc.length))), rpc])
    )
}
