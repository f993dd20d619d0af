import assert from 'node:assert/strict'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { silentLogger } from '#contracts'
import * as dagPb from '@ipld/dag-pb'
import { cidOf, createFilePowers, DAG_PB_CODEC, openPackBlockStore, RAW_CODEC } from '#content'
import type { BlockStore } from '#content'
import type { CID } from 'multiformats/cid'
import { linksOf } from '../../../content/dag-links.ts'
import { LATE_STEPS_BYTES_MIN } from '../../../content/constants.ts'
import type { DagFetch } from '../../../content/stream/dag-fetch.ts'
import { createTemporaryFolder } from '../../support/temporary-folder.ts'
import { EVERYTHING, putFile, readDag, startStreamNode, type StreamNode } from './stream-nodes.ts'

const MIB = 1024 * 1024

function createFetch(node: StreamNode, root: CID): DagFetch {
  return node.streams.createFetch({ root, durable: false, onStored: () => undefined })
}

/** All bytes of the leaves, or `undefined` when some did not come. */
async function fetchFile(node: StreamNode, root: CID): Promise<number | undefined> {
  await using fetch = createFetch(node, root)
  fetch.follow(root)
  const blocks = await readDag(fetch, root)
  if (blocks[0] === undefined) return undefined
  let bytes = 0
  for (const block of root.code === RAW_CODEC ? blocks : blocks.slice(1)) {
    if (block === undefined) return undefined
    bytes += block.length
  }
  return bytes
}

/** Block stores on the disk, closed and removed together. */
async function createPackStores(): Promise<AsyncDisposable & { open(name: string): Promise<BlockStore> }> {
  await using stack = new AsyncDisposableStack()
  const { path } = stack.use(await createTemporaryFolder())
  const opened = stack.move()
  return {
    open: async (name) =>
      opened.use(
        await openPackBlockStore({
          files: createFilePowers(),
          folder: join(path, name),
          logger: silentLogger
        })
      ),
    [Symbol.asyncDispose]: () => opened.disposeAsync()
  }
}

describe('streams of DAGs between nodes', () => {
  it('bring a whole file from the provider that routing names, and store it', async () => {
    await using server = await startStreamNode()
    await using client = await startStreamNode({ providers: () => [server.provider()] })
    const root = await putFile(server.store, { bytes: 20 * MIB + 5 })
    assert.equal(await fetchFile(client, root), 20 * MIB + 5)
    for await (const cid of server.store.list()) {
      assert.deepEqual(await client.store.get(cid), await server.store.get(cid))
    }
    assert.equal(server.streams.stats().blocksSent, 22)
  })

  it('bring single blocks', async () => {
    await using server = await startStreamNode()
    await using client = await startStreamNode({ providers: () => [server.provider()] })
    const root = await putFile(server.store, { bytes: 3 * MIB })
    await using fetch = createFetch(client, root)
    assert.deepEqual(await fetch.fetch(root), await server.store.get(root))
    assert.equal(server.streams.stats().blocksSent, 1)
  })

  it('go on where an earlier fetch ended', async () => {
    await using server = await startStreamNode()
    await using client = await startStreamNode({ providers: () => [server.provider()] })
    const root = await putFile(server.store, { bytes: 12 * MIB })
    const rootBytes = (await server.store.get(root)) as Uint8Array
    await client.store.put(root, rootBytes)
    for (const cid of linksOf(root, rootBytes).slice(2, 8)) {
      await client.store.put(cid, (await server.store.get(cid)) as Uint8Array)
    }
    assert.equal(await fetchFile(client, root), 12 * MIB)
    assert.equal(server.streams.stats().blocksSent, 6)
  })

  it('share the work between several providers', async () => {
    await using first = await startStreamNode()
    await using second = await startStreamNode()
    const root = await putFile(first.store, { bytes: 64 * MIB })
    await putFile(second.store, { bytes: 64 * MIB })
    await using client = await startStreamNode({ providers: () => [first.provider(), second.provider()] })
    assert.equal(await fetchFile(client, root), 64 * MIB)
    assert.ok(first.streams.stats().blocksSent > 5, 'the first has sent something')
    assert.ok(second.streams.stats().blocksSent > 5, 'the second has sent something')
  })

  it('bring each of many small blocks once, although what a large block links to is decoded later', async () => {
    await using first = await startStreamNode()
    await using second = await startStreamNode()
    const leaves = Array.from({ length: 400 }, (_, index) => Buffer.from(`leaf ${index}`))
    const cids = leaves.map((bytes) => cidOf(RAW_CODEC, bytes))
    const Links = cids.map((Hash) => ({ Hash, Name: '', Tsize: 8 }))
    const bytes = dagPb.encode({ Data: new Uint8Array(800), Links })
    assert.ok(bytes.length > LATE_STEPS_BYTES_MIN)
    const root = cidOf(DAG_PB_CODEC, bytes)
    for (const { store } of [first, second]) {
      await store.put(root, bytes)
      for (const [index, cid] of cids.entries()) await store.put(cid, leaves[index] as Uint8Array)
    }
    for (const providers of [[first], [first, second]]) {
      const before = providers.reduce((sum, { streams }) => sum + streams.stats().blocksSent, 0)
      await using client = await startStreamNode({ providers: () => providers.map((one) => one.provider()) })
      await using fetch = createFetch(client, root)
      fetch.follow(root)
      assert.deepEqual(await fetch.fetch(root), bytes)
      // Not in their order: whoever asks for one that is not known to come must not have it brought twice.
      for (const index of [0, 399, ...leaves.keys()])
        assert.ok(fetch.brings(cids[index] as CID) || (await client.store.has(cids[index] as CID)))
      for (const cid of cids) assert.equal(await fetch.bring(cid), true)
      const after = providers.reduce((sum, { streams }) => sum + streams.stats().blocksSent, 0)
      if (providers.length === 1) assert.equal(after - before, 401)
      for (const cid of cids) assert.ok(await client.store.has(cid))
    }
  })

  it('leave libp2p for a socket of their own, whoever dialled', async () => {
    for (const dials of ['client', 'server']) {
      await using server = await startStreamNode({ sockets: true })
      await using client = await startStreamNode({
        sockets: true,
        providers: () => [dials === 'client' ? server.provider() : { ...server.provider(), multiaddrs: [] }]
      })
      if (dials === 'server') {
        await server.libp2p.dial(client.libp2p.getMultiaddrs())
        while (client.libp2p.getConnections().length === 0) await sleep(5)
      }
      const root = await putFile(server.store, { bytes: 24 * MIB })
      assert.equal(await fetchFile(client, root), 24 * MIB)
      assert.deepEqual([client.socketCount(), server.socketCount()], [1, 1], `when the ${dials} dials`)
      assert.ok(server.streams.stats().blocksSent < 25 + 8, 'blocks are not sent twice')
    }
  })

  it('store what nobody reads in memory that is used again and again, every byte as it was', async () => {
    await using stores = await createPackStores()
    await using server = await startStreamNode({ sockets: true, store: await stores.open('server') })
    await using client = await startStreamNode({
      sockets: true,
      providers: () => [server.provider()],
      store: await stores.open('client')
    })
    const root = await putFile(server.store, { bytes: 96 * MIB })
    await using fetch = createFetch(client, root)
    fetch.follow(root)
    const bytes = await fetch.fetch(root)
    assert.ok(bytes !== undefined)
    const leaves = linksOf(root, bytes)
    // Some are read, and stay as they are whatever comes behind them.
    const read = await Promise.all(leaves.slice(0, 4).map(async (cid) => await fetch.fetch(cid)))
    for (const leaf of leaves) assert.equal(await fetch.bring(leaf), true)
    for (const [index, cid] of leaves.entries()) {
      const stored = await client.store.get(cid)
      assert.deepEqual(stored, await server.store.get(cid))
      if (index < read.length) assert.deepEqual(read[index], stored)
    }
    assert.equal(await fetch.bring(cidOf(RAW_CODEC, Buffer.from('nobody has it'))), false)
  })

  it('leave what is not granted to others', async () => {
    await using server = await startStreamNode({ grantOf: () => undefined })
    await using client = await startStreamNode({ providers: () => [server.provider()] })
    const root = await putFile(server.store, { bytes: 2 * MIB })
    assert.equal(await fetchFile(client, root), undefined)
    assert.equal(server.streams.stats().bytesSent, 0)
  })

  it('end when the right to them ends', async () => {
    let isShared = true
    await using server = await startStreamNode({
      grantOf: () => ({ ...EVERYTHING, holds: () => isShared }),
      limits: { streamCreditBytes: MIB }
    })
    await using client = await startStreamNode({
      providers: () => [server.provider()],
      limits: { streamCreditBytes: MIB, aheadBytesMax: 0 }
    })
    const root = await putFile(server.store, { bytes: 16 * MIB })
    await using fetch = createFetch(client, root)
    fetch.follow(root)
    assert.ok((await fetch.fetch(root)) !== undefined)
    isShared = false
    const blocks = await readDag(fetch, root)
    assert.ok(blocks.slice(1).filter((block) => block === undefined).length > 8)
  })
})
