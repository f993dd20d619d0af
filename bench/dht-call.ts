import { randomBytes } from 'node:crypto'
import { noise } from '@chainsafe/libp2p-noise'
import { generateKeyPair } from '@libp2p/crypto/keys'
import { identify } from '@libp2p/identify'
import type { Identify } from '@libp2p/identify'
import type { Libp2p, Stream } from '@libp2p/interface'
import type { KadDHT } from '@libp2p/kad-dht'
import { peerIdFromPrivateKey } from '@libp2p/peer-id'
import { ping } from '@libp2p/ping'
import type { Ping } from '@libp2p/ping'
import { tcp } from '@libp2p/tcp'
import { yamux } from '@libp2p/yamux'
import { multiaddr } from '@multiformats/multiaddr'
import { MemoryDatastore } from 'datastore-core'
import { createLibp2p } from 'libp2p'
import { systemClock } from '#contracts'
import { dhtOptions, guardDht } from '../dht/dht-service.ts'
import { KAD_MESSAGE } from '../dht/query/index.ts'
import type { DhtPeer, QueryEngine } from '../dht/query/index.ts'
import { median } from './harness.ts'
import type { Benchmark } from './harness.ts'

const ECHO = '/bench/echo/1.0.0'
const CALLS = 400
/** Calls of each kind before any is measured: a node that has run for a while has its code compiled. */
const WARM_UP_CALLS = 3_000
const TABLE_PEERS = 60
const ECHO_BYTES = 64

/** FIND_NODE, answered with twenty peers and their addresses, beside 64 bytes sent back; both over TCP, noise and yamux. */
export const benchmarks: readonly Benchmark[] = [
  {
    name: 'dht-call',
    unit: 'µs',
    better: 'lower',
    baselineName: 'an echo on an open stream',
    runs: 7,
    target: { speedupMin: 0.5 },
    open: async () => {
      const asking = await startNode()
      const asked = await startNode()
      await fillTable(asked.libp2p)
      await asked.libp2p.handle(ECHO, (stream) => {
        stream.addEventListener('message', ({ data }) => stream.send(data))
      })
      const [address] = asked.libp2p.getMultiaddrs()
      if (address === undefined) throw new Error('expected a node that listens')
      await asking.libp2p.dial(address)
      const echo = await openEcho(await asking.libp2p.dialProtocol(asked.libp2p.peerId, ECHO))
      const { signal } = new AbortController()
      const to = await peerOf(asking.queries, asked.libp2p)
      const call = async (): Promise<void> => {
        const key = Uint8Array.of(0x12, 0x20, ...randomBytes(32))
        const answer = await asking.queries.sendTo(to, { type: KAD_MESSAGE.findNode, key }, signal)
        if (answer?.closer?.length !== 20)
          throw new Error(`expected 20 peers, got ${answer?.closer?.length ?? 0}`)
      }
      for (let done = 0; done < WARM_UP_CALLS; done += 1) {
        await call()
        await echo()
      }
      return {
        ours: async () => await medianOf(call),
        baseline: async () => await medianOf(echo),
        [Symbol.asyncDispose]: async () => {
          await asking.libp2p.stop()
          await asked.libp2p.stop()
        }
      }
    }
  }
]

/** A node as another's queries know it, once it is in the routing table. */
async function peerOf(queries: QueryEngine, { peerId }: Node): Promise<DhtPeer> {
  for (;;) {
    const nearest = await queries.lookup(peerId.toMultihash().bytes, new AbortController().signal)
    const peer = nearest.find((other) => other.peerId === peerId.toString())
    if (peer !== undefined) return peer
    await systemClock.sleep(20)
  }
}

async function medianOf(call: () => Promise<void>): Promise<number> {
  const took: number[] = []
  for (let done = 0; done < CALLS; done += 1) {
    const before = performance.now()
    await call()
    took.push((performance.now() - before) * 1_000)
  }
  return median(took)
}

async function openEcho(stream: Stream): Promise<() => Promise<void>> {
  let waiting = Promise.withResolvers<void>()
  let missing = 0
  stream.addEventListener('message', ({ data }) => {
    missing -= data.byteLength
    if (missing === 0) waiting.resolve()
  })
  return async () => {
    waiting = Promise.withResolvers()
    missing = ECHO_BYTES
    stream.send(randomBytes(ECHO_BYTES))
    await waiting.promise
  }
}

type Node = Libp2p<{ dht: KadDHT; identify: Identify; ping: Ping }>

async function startNode(): Promise<{ readonly libp2p: Node; readonly queries: QueryEngine }> {
  const datastore = new MemoryDatastore()
  const privateKey = await generateKeyPair('Ed25519')
  const ownPeerId = peerIdFromPrivateKey(privateKey).toString()
  const options = dhtOptions({ reach: 'local', clientMode: false, clock: systemClock })
  const service = guardDht({ datastore, ownPeerId, clock: systemClock }, options)
  const libp2p: Node = await createLibp2p({
    privateKey,
    datastore,
    addresses: { listen: ['/ip4/127.0.0.1/tcp/0'] },
    transports: [tcp()],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
    connectionMonitor: { enabled: false },
    services: { identify: identify(), ping: ping(), dht: service.create }
  })
  return { libp2p, queries: service.queries() }
}

/** Peers that are nowhere, but in the table, with two addresses each. */
async function fillTable(libp2p: Node): Promise<void> {
  const { routingTable } = libp2p.services.dht as unknown as {
    routingTable: { kb: { verify: () => Promise<boolean> }; add(peerId: unknown): Promise<void> }
  }
  routingTable.kb.verify = () => Promise.resolve(true)
  for (let index = 0; index < TABLE_PEERS; index += 1) {
    const peerId = peerIdFromPrivateKey(await generateKeyPair('Ed25519'))
    const multiaddrs = [`/ip4/127.0.0.1/tcp/${40_000 + index}`, `/ip4/127.0.0.2/tcp/${40_000 + index}`].map(
      (text) => multiaddr(text)
    )
    await libp2p.peerStore.merge(peerId, { multiaddrs })
    await routingTable.add(peerId)
  }
}
