import assert from 'node:assert/strict'
import type { CID } from 'multiformats/cid'
import { blockKey } from '../../../content/cid.ts'
import { fillBlocks, startExchangeNode, type MemoryBlocks } from './exchange-nodes.ts'
import { FAULTS, startFaultyPeer, type Fault } from './faulty-peers.ts'
import { until, type Reachable } from './raw-peer.ts'

const PROVIDERS = 10
const FAULTY = 3

describe('bitswap with three of ten providers that', () => {
  for (const faults of [...FAULTS.map((fault) => [fault]), FAULTS.slice(0, FAULTY)]) {
    it(`${faults.join(', ')}: fetches everything`, async () => {
      await fetchFrom(faults)
    }).timeout(60_000)
  }
})

async function fetchFrom(faults: readonly Fault[]): Promise<void> {
  await using stack = new AsyncDisposableStack()
  const blocks: MemoryBlocks = new Map()
  const cids = fillBlocks(blocks, { count: 64, length: 64 * 1024 })
  const providers: Reachable[] = []
  for (let index = 0; index < PROVIDERS; index++) {
    const fault = index < FAULTY ? faults[index % faults.length] : undefined
    const peer = fault === undefined ? await startHonest(blocks) : await startFaultyPeer(fault, blocks)
    providers.push(stack.use(peer))
  }
  const client = stack.use(
    await startExchangeNode({ providers: () => providers.map((peer) => peer.provider()) })
  )
  const { signal } = new AbortController()
  const session = client.bitswap.createSession({ root: cids[0] as CID, signal })
  // In order and a few at a time, as files are read: one late block holds up everything.
  const fetched: Uint8Array[] = []
  for (let at = 0; at < cids.length; at += 16) {
    const some = cids.slice(at, at + 16).map((cid) => session.fetch(cid, { signal }))
    fetched.push(...(await Promise.all(some)))
  }
  for (const [index, cid] of cids.entries()) assert.deepEqual(fetched[index], blocks.get(blockKey(cid)))
  await until(() => client.bitswap.stats().receiveBytes < 1024 * 1024)
}

async function startHonest(blocks: MemoryBlocks): ReturnType<typeof startExchangeNode> {
  const node = await startExchangeNode()
  for (const [key, bytes] of blocks) node.blocks.set(key, bytes)
  return node
}
