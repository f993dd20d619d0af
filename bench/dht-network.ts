import { createHash, randomBytes } from 'node:crypto'
import { createInterface } from 'node:readline'
import { noise } from '@chainsafe/libp2p-noise'
import { identify } from '@libp2p/identify'
import type { Libp2p, PeerId } from '@libp2p/interface'
import { kadDHT, passthroughMapper } from '@libp2p/kad-dht'
import type { KadDHT } from '@libp2p/kad-dht'
import { memory } from '@libp2p/memory'
import { generateKeyPair } from '@libp2p/crypto/keys'
import { peerIdFromPrivateKey } from '@libp2p/peer-id'
import { ping } from '@libp2p/ping'
import { yamux } from '@libp2p/yamux'
import { MemoryDatastore } from 'datastore-core'
import { createLibp2p } from 'libp2p'
import { CID } from 'multiformats/cid'
import * as raw from 'multiformats/codecs/raw'
import * as Digest from 'multiformats/hashes/digest'
import { DHT_PROTOCOL } from '#dht'
import { systemClock } from '#contracts'
import { dhtOptions, guardDht } from '../dht/dht-service.ts'
import { guardedYamux } from '../dht/guarded-muxer.ts'
import { joinedNoise } from '../dht/joined-noise.ts'
import { cachePeers } from '../dht/peer-cache.ts'
import { nearestOf } from '../dht/query/peer-book.ts'
import { quietLogger } from '../dht/quiet-logger.ts'

/**
 * A process of the DHT benchmarks: `dht-network.ts ours|stock|hyperdht NODES`. Starts a network of so many nodes in this
 * process, prints a JSON line when it stands, then answers each JSON line on its standard input with the event it names.
 */

/** What can be measured: wall time or processor time of an operation in milliseconds, or neighbours found of twenty. */
export type DhtWork = 'find' | 'provide' | 'processor' | 'recall'

interface DhtNode {
  /** Its place in the DHT, where that is known. */
  readonly kadId: Uint8Array
  /** Announces a content, given by the SHA-256 of it. */
  provide(hash: Uint8Array): Promise<void>
  /** Searches until the search ends by itself and resolves with how many providers were found. */
  find(hash: Uint8Array): Promise<number>
  /** The places of the peers nearest to a content. */
  nearest(hash: Uint8Array): Promise<Uint8Array[]>
}

const CLOSEST_PEERS = 20
const SEARCH_TIMEOUT_MS = 30_000
/** Operations before anything is measured. */
const WARM_UP_OPERATIONS = 4
/** The nodes that ask, the first ones; all answer. */
const ASKING_NODES = 4

/** No lookups of one's own while something else is measured: the tables are filled. */
const QUIET = { initialQuerySelfInterval: 3_600_000, querySelfInterval: 3_600_000 }

async function main([side, count]: readonly string[]): Promise<void> {
  const startedAtMs = performance.now()
  const nodes = await startNetwork(side ?? '', Number(count))
  const asking = nodes.slice(1, 1 + ASKING_NODES)
  for (let done = 0; done < WARM_UP_OPERATIONS; done += 1) await findOnce(asking, done)
  say({ event: 'ready', tookMs: Math.round(performance.now() - startedAtMs), ...stateOf(nodes) })
  for await (const line of createInterface(process.stdin)) {
    const { event, work, operations } = JSON.parse(line) as {
      readonly event: string
      readonly work: DhtWork
      readonly operations: number
    }
    say({ event, value: await WORKS[work](asking, operations, nodes) })
  }
  process.exit()
}

function say(event: Record<string, unknown>): void {
  process.stdout.write(`${JSON.stringify(event)}\n`)
}

type Work = (asking: readonly DhtNode[], operations: number, all: readonly DhtNode[]) => Promise<number>

const WORKS: Readonly<Record<DhtWork, Work>> = {
  find: async (asking, operations) => {
    let sumMs = 0
    for (let done = 0; done < operations; done += 1) sumMs += (await findOnce(asking, done)).findMs
    return sumMs / operations
  },
  provide: async (asking, operations) => {
    let sumMs = 0
    for (let done = 0; done < operations; done += 1) sumMs += (await findOnce(asking, done)).provideMs
    return sumMs / operations
  },
  processor: async (asking, operations) => {
    const before = process.cpuUsage()
    for (let done = 0; done < operations; done += 1) await findOnce(asking, done)
    const { user, system } = process.cpuUsage(before)
    return (user + system) / 1_000 / operations
  },
  recall: async (asking, operations, all) => {
    let found = 0
    for (let done = 0; done < operations; done += 1) {
      const node = pick(asking, done)
      const hash = randomBytes(32)
      const target = createHash('sha256').update(multihashOf(hash)).digest()
      const others = all.filter((other) => other !== node)
      const truth = new Set(
        nearestOf(target, others, CLOSEST_PEERS).map(({ kadId }) => Buffer.from(kadId).toString('hex'))
      )
      const answer = await node.nearest(hash)
      found += answer.filter((kadId) => truth.has(Buffer.from(kadId).toString('hex'))).length
    }
    return found / operations
  }
}

function pick(nodes: readonly DhtNode[], turn: number): DhtNode {
  const node = nodes[turn % nodes.length]
  if (node === undefined) throw new Error('expected a node')
  return node
}

/** One node announces a content, then another finds it. */
async function findOnce(
  asking: readonly DhtNode[],
  turn: number
): Promise<{ provideMs: number; findMs: number }> {
  const hash = randomBytes(32)
  const beforeMs = performance.now()
  await pick(asking, turn).provide(hash)
  const providedMs = performance.now()
  const found = await pick(asking, turn + 1).find(hash)
  if (found === 0) throw new Error('expected a provider, found none')
  return { provideMs: providedMs - beforeMs, findMs: performance.now() - providedMs }
}

function multihashOf(hash: Uint8Array): Uint8Array {
  return Uint8Array.of(0x12, 0x20, ...hash)
}

function contentOf(hash: Uint8Array): CID {
  return CID.createV1(raw.code, Digest.decode(multihashOf(hash)))
}

interface Libp2pNode extends DhtNode {
  readonly libp2p: Libp2p
  readonly routingTable: RoutingTable
}

/** What a kad-dht's routing table has beyond its declared interface. */
interface RoutingTable {
  readonly size: number
  readonly kb: {
    readonly verify: unknown
    readonly onAdd: unknown
    toIterable(): Iterable<{ readonly peerId: PeerId }>
  }
  add(peerId: PeerId): Promise<void>
}

function stateOf(nodes: readonly DhtNode[]): Record<string, unknown> {
  const libp2ps = nodes.filter((node): node is Libp2pNode => 'libp2p' in node)
  const mean = (values: readonly number[]): number =>
    Math.round(values.reduce((sum, value) => sum + value, 0) / Math.max(values.length, 1))
  return {
    connections: mean(libp2ps.map(({ libp2p }) => libp2p.getConnections().length)),
    table: mean(libp2ps.map(({ routingTable }) => routingTable.size)),
    memoryMiB: Math.round(process.memoryUsage().rss / 2 ** 20)
  }
}

async function startNetwork(side: string, count: number): Promise<DhtNode[]> {
  if (side === 'hyperdht') return await startHyperDht(count)
  const start = side === 'ours' ? startOurs : startStock
  const nodes: Libp2pNode[] = []
  while (nodes.length < count) nodes.push(await start())
  for (const node of nodes) await introduce(node, nodes)
  // who has been there for hours is connected to those in its table: one enters it by answering
  for (const { libp2p, routingTable } of nodes.slice(1, 1 + ASKING_NODES)) {
    for (const { peerId } of routingTable.kb.toIterable()) await libp2p.dial(peerId)
  }
  return nodes
}

/**
 * Fills a routing table, and the peer store with the addresses: a network of this size fits into every table of kad-dht, and
 * after some hours everybody has met everybody.
 */
async function introduce(node: Libp2pNode, nodes: readonly Libp2pNode[]): Promise<void> {
  const others = nodes.filter((other) => other !== node)
  const { routingTable } = node
  const { verify, onAdd } = routingTable.kb
  Object.assign(routingTable.kb, { verify: () => Promise.resolve(true), onAdd: undefined })
  for (const other of others) {
    const { peerId } = other.libp2p
    await node.libp2p.peerStore.merge(peerId, {
      multiaddrs: other.libp2p.getMultiaddrs(),
      protocols: [DHT_PROTOCOL]
    })
    await routingTable.add(peerId)
  }
  Object.assign(routingTable.kb, { verify, onAdd })
}

async function startOurs(): Promise<Libp2pNode> {
  const datastore = new MemoryDatastore()
  const privateKey = await generateKeyPair('Ed25519')
  const ownPeerId = peerIdFromPrivateKey(privateKey).toString()
  const options = dhtOptions({ reach: 'local', clientMode: false, clock: systemClock })
  const service = guardDht({ datastore, ownPeerId, clock: systemClock }, { ...options, ...QUIET })
  const node = await startLibp2p(
    {
      privateKey,
      datastore: cachePeers(datastore, ownPeerId),
      // as our host has it
      logger: quietLogger,
      connectionEncrypters: [joinedNoise()],
      streamMuxers: [guardedYamux({})]
    },
    service.create as never
  )
  const queries = service.queries()
  const signal = (): AbortSignal => AbortSignal.timeout(SEARCH_TIMEOUT_MS)
  return {
    ...node,
    provide: async (hash) => {
      await queries.provide(multihashOf(hash), { signal: signal() })
    },
    find: async (hash) => {
      const found = new Set<string>()
      for await (const { providers } of queries.findProviders(multihashOf(hash), signal())) {
        for (const { peerId } of providers) found.add(peerId)
      }
      return found.size
    },
    nearest: async (hash) => (await queries.lookup(multihashOf(hash), signal())).map(({ kadId }) => kadId)
  }
}

async function startStock(): Promise<Libp2pNode> {
  const service = kadDHT({
    protocol: DHT_PROTOCOL,
    clientMode: false,
    peerInfoMapper: passthroughMapper,
    allowQueryWithZeroPeers: true,
    ...QUIET
  })
  const node = await startLibp2p({ datastore: new MemoryDatastore() }, service as never)
  const { dht } = node
  const signal = (): AbortSignal => AbortSignal.timeout(SEARCH_TIMEOUT_MS)
  return {
    ...node,
    provide: async (hash) => {
      for await (const _event of dht.provide(contentOf(hash), { signal: signal() }));
    },
    find: async (hash) => {
      const found = new Set<string>()
      for await (const event of dht.findProviders(contentOf(hash), { signal: signal() })) {
        if (event.name === 'PROVIDER') for (const { id } of event.providers) found.add(id.toString())
      }
      return found.size
    },
    nearest: async (hash) => {
      const peers: Uint8Array[] = []
      for await (const event of dht.getClosestPeers(multihashOf(hash), { signal: signal() })) {
        if (event.name !== 'FINAL_PEER') continue
        peers.push(createHash('sha256').update(event.peer.id.toMultihash().bytes).digest())
      }
      return peers
    }
  }
}

let started = 0

async function startLibp2p(
  init: object,
  service: never
): Promise<Pick<Libp2pNode, 'libp2p' | 'routingTable' | 'kadId'> & { readonly dht: KadDHT }> {
  const libp2p = await createLibp2p<{ dht: KadDHT; identify: unknown; ping: unknown }>({
    addresses: { listen: [`/memory/node-${started++}`] },
    transports: [memory()],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
    ...init,
    connectionMonitor: { enabled: false },
    connectionManager: {
      inboundConnectionThreshold: Infinity,
      maxIncomingPendingConnections: 1_000,
      maxParallelDials: 30
    },
    services: { identify: identify(), ping: ping(), dht: service }
  })
  const { dht } = libp2p.services
  const { routingTable } = dht as unknown as { routingTable: RoutingTable }
  return {
    libp2p,
    dht,
    kadId: createHash('sha256').update(libp2p.peerId.toMultihash().bytes).digest(),
    routingTable
  }
}

interface HyperDhtNode {
  announce(topic: Uint8Array, keyPair: unknown): { finished(): Promise<void> }
  lookup(topic: Uint8Array): AsyncIterable<{ readonly peers: readonly unknown[] }>
  readonly defaultKeyPair: unknown
}

async function startHyperDht(count: number): Promise<DhtNode[]> {
  // @ts-expect-error hyperdht has no types
  const { default: createTestnet } = (await import('hyperdht/testnet.js')) as {
    default: (count: number) => Promise<{ readonly nodes: readonly HyperDhtNode[] }>
  }
  const { nodes } = await createTestnet(count)
  return nodes.map((node) => ({
    kadId: new Uint8Array(),
    nearest: () => Promise.resolve([]),
    provide: async (hash) => {
      await node.announce(hash, node.defaultKeyPair).finished()
    },
    find: async (hash) => {
      let found = 0
      for await (const { peers } of node.lookup(hash)) found += peers.length
      return found
    }
  }))
}

await main(process.argv.slice(2))
