import type { CID } from 'multiformats/cid'
import { fillBlocks, startExchangeNode, type ExchangeNode } from '../test/net/content/exchange-nodes.ts'
import { startGreedyPeer, type Appetite } from '../test/net/content/greedy-peers.ts'
import type { Benchmark, Measure } from './harness.ts'

const BLOCKS = 128
const BLOCK_BYTES = 1024 * 1024
const APPETITES: readonly Appetite[] = [
  'reads nothing',
  'reads now and then',
  'reads nothing',
  'reads now and then'
]

/** 128 MiB over bitswap while four peers want 1,024 blocks each and take none, or hardly any; all in one process. */
export const benchmarks: readonly Benchmark[] = [
  {
    name: 'serve-greedy',
    unit: 'MB/s',
    better: 'higher',
    baselineName: 'the same without them',
    runs: 5,
    target: { speedupMin: 0.8 },
    open: async () => {
      await using stack = new AsyncDisposableStack()
      const quiet = stack.use(await startExchangeNode())
      const beset = stack.use(await startExchangeNode())
      const cids = fillBlocks(quiet.blocks, { count: BLOCKS, length: BLOCK_BYTES })
      for (const [key, bytes] of quiet.blocks) beset.blocks.set(key, bytes)
      for (const appetite of APPETITES) stack.use(await startGreedyPeer(beset, cids, appetite))
      const opened = stack.move()
      return {
        ours: fetchFrom(beset, cids),
        baseline: fetchFrom(quiet, cids),
        [Symbol.asyncDispose]: () => opened.disposeAsync()
      }
    }
  }
]

function fetchFrom(server: ExchangeNode, cids: readonly CID[]): Measure {
  return async () => {
    await using client = await startExchangeNode({ providers: () => [server.provider()] })
    const { signal } = new AbortController()
    const startedAt = performance.now()
    const session = client.bitswap.createSession({ root: cids[0] as CID, signal })
    await Promise.all(cids.map((cid) => session.fetch(cid, { signal })))
    return (BLOCKS * BLOCK_BYTES) / 1e6 / ((performance.now() - startedAt) / 1_000)
  }
}
