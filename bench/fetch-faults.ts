import type { CID } from 'multiformats/cid'
import { createMemoryBlockStore } from '#content'
import { fillBlocks, startExchangeNode, type MemoryBlocks } from '../test/net/content/exchange-nodes.ts'
import {
  FAULTS,
  startFaultyPeer,
  startFaultyStreamNode,
  type Fault
} from '../test/net/content/faulty-peers.ts'
import type { Reachable } from '../test/net/content/raw-peer.ts'
import { putFile } from '../test/net/content/stream-nodes.ts'
import { startWholeNode, startWholeProvider } from '../test/net/content/whole-nodes.ts'
import type { Benchmark, Measure } from './harness.ts'

const PROVIDERS = 10
const FAULTY = 3
const BLOCKS = 96
const BLOCK_BYTES = 1024 * 1024
/** Blocks asked for ahead of the one that is needed next, as a file is read. */
const BLOCKS_AT_A_TIME = 16

/** 96 MiB from ten providers in one process, three of which misbehave, beside ten that do not. */
export const benchmarks: readonly Benchmark[] = FAULTS.flatMap((fault) => [
  comparison(`over bitswap, each of three in ten ${fault}`, (stack) => openBitswap(stack, fault)),
  comparison(`over streams, each of three in ten ${fault}`, (stack) => openStreams(stack, fault))
])

interface Ways {
  readonly ours: Measure
  readonly baseline: Measure
}

function comparison(name: string, open: (stack: AsyncDisposableStack) => Promise<Ways>): Benchmark {
  return {
    name: `fetch-faults: ${name}`,
    unit: 's',
    better: 'lower',
    baselineName: 'ten honest ones',
    runs: 5,
    target: { speedupMin: 0.5 },
    open: async () => {
      await using stack = new AsyncDisposableStack()
      const ways = await open(stack)
      const opened = stack.move()
      return { ...ways, [Symbol.asyncDispose]: () => opened.disposeAsync() }
    }
  }
}

async function openBitswap(stack: AsyncDisposableStack, fault: Fault): Promise<Ways> {
  const blocks: MemoryBlocks = new Map()
  const cids = fillBlocks(blocks, { count: BLOCKS, length: BLOCK_BYTES })
  const honest: Reachable[] = []
  for (let index = 0; index < PROVIDERS; index++) honest.push(await startHonest(stack, blocks))
  const faulty = await startFaulty(stack, fault, blocks)
  return {
    ours: measureOf(cids, [...faulty, ...honest.slice(0, PROVIDERS - FAULTY)]),
    baseline: measureOf(cids, honest)
  }
}

async function openStreams(stack: AsyncDisposableStack, fault: Fault): Promise<Ways> {
  const store = createMemoryBlockStore()
  const root = await putFile(store, { bytes: BLOCKS * BLOCK_BYTES })
  const honest: Reachable[] = []
  const faulty: Reachable[] = []
  for (let index = 0; index < PROVIDERS; index++)
    honest.push(stack.use(await startWholeProvider(store, root)))
  for (let index = 0; index < FAULTY; index++)
    faulty.push(stack.use(await startFaultyStreamNode(fault, store)))
  return {
    ours: streamOf(root, [...faulty, ...honest.slice(0, PROVIDERS - FAULTY)]),
    baseline: streamOf(root, honest)
  }
}

/** By a node as it comes: with its patience, and bitswap to turn to. */
function streamOf(root: CID, providers: readonly Reachable[]): Measure {
  return async () => {
    await using node = await startWholeNode({ providers: () => providers.map((peer) => peer.provider()) })
    const startedAt = performance.now()
    await node.content.pin(root)
    return (performance.now() - startedAt) / 1_000
  }
}

async function startHonest(stack: AsyncDisposableStack, blocks: MemoryBlocks): Promise<Reachable> {
  const node = stack.use(await startExchangeNode())
  for (const [key, bytes] of blocks) node.blocks.set(key, bytes)
  return node
}

async function startFaulty(
  stack: AsyncDisposableStack,
  fault: Fault,
  blocks: MemoryBlocks
): Promise<Reachable[]> {
  const peers: Reachable[] = []
  for (let index = 0; index < FAULTY; index++) peers.push(stack.use(await startFaultyPeer(fault, blocks)))
  return peers
}

function measureOf(cids: readonly CID[], providers: readonly Reachable[]): Measure {
  return async () => {
    await using client = await startExchangeNode({
      providers: () => providers.map((peer) => peer.provider())
    })
    const { signal } = new AbortController()
    const startedAt = performance.now()
    const session = client.bitswap.createSession({ root: cids[0] as CID, signal })
    const ahead: Promise<Uint8Array>[] = []
    for (const cid of cids) {
      ahead.push(session.fetch(cid, { signal }))
      if (ahead.length >= BLOCKS_AT_A_TIME) await ahead.shift()
    }
    await Promise.all(ahead)
    return (performance.now() - startedAt) / 1_000
  }
}
