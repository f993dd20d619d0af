import type { CID } from 'multiformats/cid'
import { fillBlocks, startExchangeNode, type MemoryBlocks } from '../test/net/content/exchange-nodes.ts'
import { FAULTS, startFaultyPeer, type Fault } from '../test/net/content/faulty-peers.ts'
import type { Reachable } from '../test/net/content/raw-peer.ts'
import type { Benchmark, Measure } from './harness.ts'

const PROVIDERS = 10
const FAULTY = 3
const BLOCKS = 96
const BLOCK_BYTES = 1024 * 1024
/** Blocks asked for ahead of the one that is needed next, as a file is read. */
const BLOCKS_AT_A_TIME = 16

/** 96 MiB over bitswap from ten providers in one process, three of which misbehave, beside ten that do not. */
export const benchmarks: readonly Benchmark[] = FAULTS.map((fault) => ({
  name: `fetch-faults: each of three in ten ${fault}`,
  unit: 's',
  better: 'lower',
  baselineName: 'ten honest ones',
  runs: 5,
  target: { speedupMin: 0.5 },
  open: async () => {
    await using stack = new AsyncDisposableStack()
    const blocks: MemoryBlocks = new Map()
    const cids = fillBlocks(blocks, { count: BLOCKS, length: BLOCK_BYTES })
    const honest: Reachable[] = []
    for (let index = 0; index < PROVIDERS; index++) honest.push(await startHonest(stack, blocks))
    const faulty = await startFaulty(stack, fault, blocks)
    const ours = measureOf(cids, [...faulty, ...honest.slice(0, PROVIDERS - FAULTY)])
    const baseline = measureOf(cids, honest)
    const opened = stack.move()
    return { ours, baseline, [Symbol.asyncDispose]: () => opened.disposeAsync() }
  }
}))

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
