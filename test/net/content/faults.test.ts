import assert from 'node:assert/strict'
import type { CID } from 'multiformats/cid'
import { createMemoryBlockStore } from '#content'
import { blockKey } from '../../../content/cid.ts'
import { fillBlocks, startExchangeNode, type MemoryBlocks } from './exchange-nodes.ts'
import { FAULTS, startFaultyPeer, startFaultyStreamNode, type Fault } from './faulty-peers.ts'
import { until, type Reachable } from './raw-peer.ts'
import { putFile, readDag, startStreamNode, type StreamNode } from './stream-nodes.ts'
import { startWholeNode, startWholeProvider } from './whole-nodes.ts'

const MIB = 1024 * 1024
/** On a busy machine nobody is to look elsewhere: there is nobody else here. */
const PATIENT = { patienceMs: 60_000 }
const PROVIDERS = 10
const FAULTY = 3

describe('bitswap with three of ten providers that', () => {
  for (const faults of [FAULTS.slice(0, FAULTY), FAULTS.slice(-FAULTY)]) {
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

describe('streams of DAGs with three of ten providers that', () => {
  for (const faults of [FAULTS.slice(0, FAULTY), FAULTS.slice(-FAULTY)]) {
    it(`${faults.join(', ')}: fetch everything`, async () => {
      await streamFrom(faults)
    }).timeout(60_000)
  }
})

async function streamFrom(faults: readonly Fault[]): Promise<void> {
  await using stack = new AsyncDisposableStack()
  const store = createMemoryBlockStore()
  const root = await putFile(store, { bytes: 24 * MIB })
  const nodes: StreamNode[] = []
  for (let index = 0; index < PROVIDERS; index++) {
    const fault = index < FAULTY ? faults[index % faults.length] : undefined
    const node = fault === undefined ? startStreamNode({ store }) : startFaultyStreamNode(fault, store)
    nodes.push(stack.use(await node))
  }
  const client = stack.use(
    await startStreamNode({ providers: () => nodes.map((node) => node.provider()), limits: PATIENT })
  )
  {
    await using fetch = client.streams.createFetch({ root, durable: false, onStored: () => undefined })
    fetch.follow(root)
    const blocks = await readDag(fetch, root)
    assert.equal(blocks.length, 25)
    assert.ok(blocks.every((block) => block !== undefined))
  }
  // What was handed over before it was stored is stored by now.
  for await (const cid of store.list()) assert.deepEqual(await client.store.get(cid), await store.get(cid))
}

describe('a node as it comes, with three of ten providers that', () => {
  for (const faults of [FAULTS.slice(0, FAULTY), FAULTS.slice(-FAULTY)]) {
    it(`${faults.join(', ')}: gets everything`, async () => {
      await getFrom(faults)
    }).timeout(60_000)
  }
})

/** With the patience that nodes have, and bitswap to turn to. */
async function getFrom(faults: readonly Fault[]): Promise<void> {
  await using stack = new AsyncDisposableStack()
  const store = createMemoryBlockStore()
  const bytes = 12 * MIB
  const root = await putFile(store, { bytes })
  const providers: Reachable[] = []
  for (let index = 0; index < PROVIDERS; index++) {
    const fault = index < FAULTY ? faults[index % faults.length] : undefined
    const peer = fault === undefined ? startWholeProvider(store, root) : startFaultyStreamNode(fault, store)
    providers.push(stack.use(await peer))
  }
  const node = stack.use(await startWholeNode({ providers: () => providers.map((peer) => peer.provider()) }))
  const { pin } = await node.content.pin(root)
  assert.equal(pin.cid.toString(), root.toString())
  for await (const cid of store.list()) assert.deepEqual(await node.store.get(cid), await store.get(cid))
}

async function startHonest(blocks: MemoryBlocks): ReturnType<typeof startExchangeNode> {
  const node = await startExchangeNode()
  for (const [key, bytes] of blocks) node.blocks.set(key, bytes)
  return node
}
