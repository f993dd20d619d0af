import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { noise } from '@chainsafe/libp2p-noise'
import { gossipsub } from '@libp2p/gossipsub'
import type { GossipSub } from '@libp2p/gossipsub'
import { createPeerScoreParams } from '@libp2p/gossipsub/score'
import { identify } from '@libp2p/identify'
import type { Identify } from '@libp2p/identify'
import type { Libp2p } from '@libp2p/interface'
import { tcp } from '@libp2p/tcp'
import { yamux } from '@libp2p/yamux'
import { createLibp2p } from 'libp2p'
import { systemClock, systemRandom } from '#contracts'
import { guardedYamux } from '../dht/guarded-muxer.ts'
import { joinedNoise } from '../dht/joined-noise.ts'
import { createPubsubService } from '../dht/pubsub.ts'
import { quietLogger } from '../dht/quiet-logger.ts'

/**
 * A process of the `gossip` benchmark: `gossip-crowd.ts ours|stock`. Fifty nodes over loopback, each connected to some
 * others; they all join one topic and at once begin to talk, ten messages a second in all. Prints a JSON line.
 */

const NODES = 50
const DIALS_A_NODE = 5
const MESSAGES = 100
const MESSAGES_A_SECOND = 10
const MESSAGE_BYTES = 256
/** How long the last messages may take to be everywhere: gossip names what was missed once a second. */
const SETTLE_MS = 8_000
const TOPIC = '/elastos/bench'
const CONNECTIONS_A_SECOND_MAX = 1_000

type Node = Libp2p<{ pubsub: GossipSub }>

/** Stock, but that its scoring allows many peers on one address: with the default nothing is delivered at all. */
function stockService(): ReturnType<typeof gossipsub> {
  const scoreParams = createPeerScoreParams({ IPColocationFactorThreshold: 1_000 })
  return gossipsub({ scoreParams, allowPublishToZeroTopicPeers: true })
}

/** What gossip runs on: ours as our host has it, libp2p as it comes. */
const STACKS = {
  ours: () => ({
    logger: quietLogger,
    connectionEncrypters: [joinedNoise()],
    streamMuxers: [guardedYamux({})],
    pubsub: createPubsubService({ clock: systemClock, random: systemRandom })
  }),
  stock: () => ({ connectionEncrypters: [noise()], streamMuxers: [yamux()], pubsub: stockService() })
}

async function startNode(side: keyof typeof STACKS): Promise<Node> {
  const { pubsub, ...stack } = STACKS[side]()
  return await createLibp2p<{ identify: Identify; pubsub: GossipSub }>({
    addresses: { listen: ['/ip4/127.0.0.1/tcp/0'] },
    transports: [tcp()],
    ...stack,
    connectionMonitor: { enabled: false },
    connectionManager: {
      inboundConnectionThreshold: CONNECTIONS_A_SECOND_MAX,
      maxIncomingPendingConnections: CONNECTIONS_A_SECOND_MAX
    },
    services: { identify: identify(), pubsub }
  })
}

async function connect(nodes: readonly Node[]): Promise<void> {
  for (const [index, node] of nodes.entries()) {
    for (let dial = 1; dial <= DIALS_A_NODE; dial += 1) {
      const other = nodes[(index + dial * dial) % nodes.length]
      if (other !== undefined) await node.dial(other.getMultiaddrs())
    }
  }
}

async function main([sideText]: readonly string[]): Promise<void> {
  const side = sideText === 'stock' ? 'stock' : 'ours'
  const nodes: Node[] = []
  while (nodes.length < NODES) nodes.push(await startNode(side))
  await connect(nodes)
  let deliveries = 0
  for (const { services } of nodes) {
    services.pubsub.addEventListener('message', ({ detail }) => {
      if (detail.topic === TOPIC) deliveries += 1
    })
    services.pubsub.subscribe(TOPIC)
  }
  const expected = MESSAGES * (NODES - 1)
  const before = process.cpuUsage()
  for (let count = 0; count < MESSAGES; count += 1) {
    // who speaks goes round
    const speaker = nodes[(count * 7) % NODES]
    await speaker?.services.pubsub.publish(TOPIC, randomBytes(MESSAGE_BYTES))
    await sleep(1_000 / MESSAGES_A_SECOND)
  }
  const endMs = performance.now() + SETTLE_MS
  while (deliveries < expected && performance.now() < endMs) await sleep(50)
  const { user, system } = process.cpuUsage(before)
  console.log(JSON.stringify({ event: 'done', cpuMs: (user + system) / 1_000, deliveries, expected }))
  await Promise.all(nodes.map(async (node) => await node.stop()))
}

await main(process.argv.slice(2))
