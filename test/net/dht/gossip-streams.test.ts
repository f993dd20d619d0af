import assert from 'node:assert/strict'
import { gossipsub } from '@libp2p/gossipsub'
import type { GossipSub } from '@libp2p/gossipsub'
import type { Libp2p, PeerId, Stream } from '@libp2p/interface'
import { peerIdFromString } from '@libp2p/peer-id'
import { systemClock } from '#contracts'
import type { Host } from '#dht'
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
const streamsOf = (node: GossipNode): number => outboundOf(node).size

/** Its streams to others, by their peer ids: who meets whom besides is for the DHT to say. */
const outboundOf = ({ services }: GossipNode): ReadonlyMap<string, unknown> =>
  (services.pubsub as unknown as { streamsOutbound: Map<string, unknown> }).streamsOutbound

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

/** Who opened streams of gossip to whom, a node at a time. */
const streamsOfAll = (hosts: readonly Host[]): number[] => hosts.map(({ libp2p }) => streamsOf(libp2p))

describe('gossip and who takes part in it', () => {
  it('opens no stream before there is a topic, then to everybody at once, and a word said at once is heard', async () => {
    await using stack = new AsyncDisposableStack()
    const hosts: Host[] = []
    for (let count = 0; count < 4; count++) hosts.push(stack.use(await startTestHost()))
    const [speaker, ...others] = hosts
    assert.ok(speaker !== undefined)
    for (const other of others) await speaker.connect(other.addresses()[0] ?? '')
    // each knows of the others that they speak gossip
    await until(() => speaker.libp2p.services.pubsub.getPeers().length === 3)
    const knowsSpeaker = ({ libp2p }: Host): boolean =>
      libp2p.services.pubsub.getPeers().some((peer) => peer.toString() === speaker.peerId)
    await until(() => others.every(knowsSpeaker))
    assert.deepEqual(streamsOfAll(hosts), [0, 0, 0, 0])

    const heard: string[] = []
    for (const [index, { pubsub }] of others.entries()) {
      stack.use(
        pubsub.subscribe(TOPIC, ({ bytes }) => {
          heard.push(`${index} ${Buffer.from(bytes).toString()}`)
          return 'accept'
        })
      )
    }
    await until(() => speaker.pubsub.peersOf(TOPIC).length === 3)
    assert.equal(streamsOf(speaker.libp2p), 0)
    for (const other of others) assert.ok(outboundOf(other.libp2p).has(speaker.peerId))
    // who speaks without listening opens them then
    await speaker.pubsub.publish(TOPIC, Buffer.from('hello'))
    await until(() => heard.length === 3)
    assert.deepEqual(heard.toSorted(), ['0 hello', '1 hello', '2 hello'])
    stack.use(speaker.pubsub.subscribe(TOPIC, () => 'accept'))
    await until(() => others.every(({ pubsub }) => pubsub.peersOf(TOPIC).includes(speaker.peerId)))
  })

  it('opens a stream again that the other side ended, also when that fails at first', async () => {
    await using host = await startTestHost()
    await using other = await startTestHost()
    await host.connect(other.addresses()[0] ?? '')
    for (const { libp2p } of [host, other]) libp2p.services.pubsub.subscribe(TOPIC)
    await until(() => [host, other].every(({ pubsub }) => pubsub.peersOf(TOPIC).length === 1))
    const [[here], [there]] = [host.libp2p.getConnections(), other.libp2p.getConnections()]
    assert.ok(here !== undefined && there !== undefined)
    const isGossip = ({ protocol }: Stream): boolean => protocol.startsWith('/meshsub/')
    const open = here.newStream.bind(here)
    let failures = 0
    here.newStream = async (protocols, options) => {
      const [protocol = ''] = [protocols].flat()
      if (protocol.startsWith('/meshsub/') && failures++ === 0) throw new Error('not now')
      return await open(protocols, options)
    }
    for (const stream of there.streams.filter((one) => isGossip(one) && one.direction === 'inbound'))
      stream.abort(new Error('the other side wants it so'))
    await until(() => !outboundOf(host.libp2p).has(other.peerId))
    await until(() => outboundOf(host.libp2p).has(other.peerId))
    assert.ok(failures > 1)
    const heard = Promise.withResolvers<string>()
    other.libp2p.services.pubsub.addEventListener('message', ({ detail }) => {
      heard.resolve(Buffer.from(detail.data).toString())
    })
    await host.pubsub.publishUntilHeard(TOPIC, Buffer.from('again'))
    assert.equal(await heard.promise, 'again')
  })

  it('a neighbour that does not agree to a stream holds up nobody', async () => {
    await using host = await startTestHost()
    await using other = await startTestHost()
    await host.connect(other.addresses()[0] ?? '')
    await until(() => host.libp2p.services.pubsub.getPeers().length === 1)
    const internals = host.libp2p.services.pubsub as unknown as Opening
    const { remotePeer } = host.libp2p.getConnections()[0] ?? assert.fail('expected a connection')
    await using silent = await startTestHost()
    host.libp2p.services.pubsub.subscribe(TOPIC)
    // a connection on which no stream ever opens, of a peer that came first
    const never = { status: 'open', newStream: async () => await new Promise(() => undefined) }
    internals.peers.set(silent.peerId, peerIdFromString(silent.peerId))
    internals.streamsOutbound.delete(remotePeer.toString())
    await internals.createOutboundStream(peerIdFromString(silent.peerId), never)
    await internals.createOutboundStream(remotePeer, host.libp2p.getConnections()[0] ?? {})
    await until(() => internals.streamsOutbound.has(remotePeer.toString()))
  })
})

interface Opening {
  readonly peers: Map<string, PeerId>
  readonly streamsOutbound: Map<string, unknown>
  createOutboundStream(peer: PeerId, connection: object): Promise<void>
}
