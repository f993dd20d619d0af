import type { Stream } from '@libp2p/interface'
import { multiaddr } from '@multiformats/multiaddr'
import { MemoryBlockstore } from 'blockstore-core'
import { createLibp2p, type Libp2p } from 'libp2p'
import type { CID } from 'multiformats/cid'
import { createMemoryBlockStore, type BlockStore } from '#content'
import { linksOf } from '../content/dag-links.ts'
import { startTestHost } from '../test/net/dht/hosts.ts'
import { testLibp2pInit } from '../test/net/content/exchange-nodes.ts'
import { putFile, startStreamNode } from '../test/net/content/stream-nodes.ts'
import { startSlowWire } from '../test/support/slow-wire.ts'
import type { Benchmark, Measure } from './harness.ts'
import { startHelia } from './stock-helia.ts'

const ONE_WAY_MS = 50
const ECHO = '/bench/echo/1.0.0'
const FILE_BYTES = 4 * 1024 * 1024

/** From the dial of a known address to the first byte, over a line of 50 ms each way, in round trips of it. */
export const benchmarks: readonly Benchmark[] = [
  {
    name: 'connect-echo',
    ...{ unit: 'round trips', better: 'lower', runs: 5, target: { oursMax: 4 } },
    baselineName: 'stock libp2p',
    open: async () => {
      await using stack = new AsyncDisposableStack()
      const ours = stack.use(await startTestHost())
      const stock = stack.adopt(await createLibp2p(testLibp2pInit()), async (libp2p) => await libp2p.stop())
      for (const libp2p of [ours.libp2p, stock]) await serveEcho(libp2p)
      const opened = stack.move()
      return {
        ours: trips(ours.libp2p, echoOurs),
        baseline: trips(stock, echoStock),
        [Symbol.asyncDispose]: () => opened.disposeAsync()
      }
    }
  },
  {
    name: 'connect-content',
    ...{ unit: 'round trips', better: 'lower', runs: 5, target: { oursMax: 4 } },
    baselineName: 'stock Helia bitswap (session)',
    open: async () => {
      await using stack = new AsyncDisposableStack()
      const host = stack.use(await startTestHost())
      const store = createMemoryBlockStore()
      const root = await putFile(store, { bytes: FILE_BYTES })
      stack.use(await startStreamNode({ libp2p: host.libp2p, store }))
      const helia = stack.adopt(await startHelia(await copyOf(store)), async (node) => {
        await node.stop()
      })
      const opened = stack.move()
      return {
        ours: trips(host.libp2p, async (at) => await contentOurs(at, root)),
        baseline: trips(helia.libp2p, async (at) => await contentStock(at, root)),
        [Symbol.asyncDispose]: () => opened.disposeAsync()
      }
    }
  }
]

/** Where a node is dialled: through the slow line. */
interface At {
  readonly peerId: string
  readonly address: string
}

/** Takes the time of its own, from the dial on: what a node takes to start is not in it. */
type Dial = (at: At) => Promise<number>

function trips(asked: Libp2p, dial: Dial): Measure {
  const tcpPart = asked
    .getMultiaddrs()[0]
    ?.getComponents()
    .find(({ name }) => name === 'tcp')
  return async () => {
    await using wire = await startSlowWire({ to: Number(tcpPart?.value), oneWayMs: ONE_WAY_MS })
    const peerId = asked.peerId.toString()
    return (
      (await dial({ peerId, address: `/ip4/127.0.0.1/tcp/${wire.port}/p2p/${peerId}` })) / (2 * ONE_WAY_MS)
    )
  }
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const startedAt = performance.now()
  await work()
  return performance.now() - startedAt
}

async function serveEcho(libp2p: Libp2p): Promise<void> {
  await libp2p.handle(ECHO, (stream) => {
    stream.addEventListener('message', ({ data }) => stream.send(data))
  })
}

async function echoed(stream: Stream): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<undefined>()
  stream.addEventListener('message', () => resolve(undefined))
  stream.addEventListener('close', ({ error }) => reject(error ?? new Error('the stream has closed')))
  stream.send(Uint8Array.of(42))
  await promise
}

const echoOurs: Dial = async ({ address }) => {
  await using host = await startTestHost()
  return await timed(async () => {
    const connection = await host.libp2p.dial(multiaddr(address))
    await echoed(await connection.newStream(ECHO, { negotiateFully: false }))
  })
}

const echoStock: Dial = async ({ address }) => {
  const libp2p = await createLibp2p(testLibp2pInit())
  const ms = await timed(async () => {
    const connection = await libp2p.dial(multiaddr(address))
    await echoed(await connection.newStream(ECHO))
  })
  await libp2p.stop()
  return ms
}

/** Until the first block of the file's bytes was verified. */
async function contentOurs({ peerId, address }: At, root: CID): Promise<number> {
  await using host = await startTestHost()
  await using node = await startStreamNode({
    libp2p: host.libp2p,
    providers: () => [{ peerId, multiaddrs: [address] }]
  })
  await using fetch = node.streams.createFetch({ root, durable: false, onStored: () => undefined })
  return await timed(async () => {
    fetch.follow(root)
    const [first] = linksOf(root, found(await fetch.fetch(root)))
    found(await fetch.fetch(first as CID))
  })
}

function found(bytes: Uint8Array | undefined): Uint8Array {
  if (bytes === undefined) throw new Error('expected the block, got none')
  return bytes
}

async function contentStock({ address }: At, root: CID): Promise<number> {
  const helia = await startHelia(new MemoryBlockstore())
  const signal = AbortSignal.timeout(60_000)
  const ms = await timed(async () => {
    const { remotePeer } = await helia.libp2p.dial(multiaddr(address))
    const session = helia.blockstore.createSession(root, { providers: [remotePeer.toCID()] })
    const get = async (cid: CID): Promise<Uint8Array> => {
      const parts: Uint8Array[] = []
      for await (const part of session.get(cid, { signal })) parts.push(part)
      return Buffer.concat(parts)
    }
    const [first] = linksOf(root, await get(root))
    await get(first as CID)
    session.close()
  })
  await helia.stop()
  return ms
}

async function copyOf(store: BlockStore): Promise<MemoryBlockstore> {
  const copy = new MemoryBlockstore()
  for await (const cid of store.list()) await copy.put(cid, found(await store.get(cid)))
  return copy
}
