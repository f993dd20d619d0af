import assert from 'node:assert/strict'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { multiaddr } from '@multiformats/multiaddr'
import { MemoryDatastore } from 'datastore-core'
import { systemRandom } from '#contracts'
import { cidOf, RAW_CODEC } from '#content'
import { createKeyPair, didFromPeerId } from '#did'
import { createTemporaryFolder } from '../../support/temporary-folder.ts'
import { bytesOf, utf8 } from '../../unit/content/fixture.ts'
import { until } from '../dht/hosts.ts'
import { startBareNode, startContentNode } from './content-nodes.ts'
import type { ContentNode } from './content-nodes.ts'

const readAll = { bytesMax: 64 * 1024 * 1024 }

function addressesOf(node: ContentNode): string[] {
  return node.host.addresses()
}

/** In a network this small the DHT has everybody meet everybody; this makes two strangers again. */
async function part(a: ContentNode, b: ContentNode): Promise<void> {
  await b.host.libp2p.hangUp(a.host.libp2p.peerId)
  await until(() => a.host.libp2p.getConnections(b.host.libp2p.peerId).length === 0)
  assert.equal(b.host.libp2p.getConnections(a.host.libp2p.peerId).length, 0)
}

describe('content between nodes that only a seed introduces', function () {
  this.timeout(60_000)

  it('is found through the DHT and fetched from a peer never met before', async () => {
    await using folder = await createTemporaryFolder()
    await using seed = await startContentNode({ role: 'seed' })
    await using a = await startContentNode({ bootstrapPeers: addressesOf(seed) })
    await using b = await startContentNode({ bootstrapPeers: addressesOf(seed) })
    await writeFile(join(folder.path, 'file'), bytesOf(5_000_000))
    const added = await a.content.add(join(folder.path, 'file'))
    assert.deepEqual(added.announcement, { state: 'announced' })
    await part(a, b)
    const output = join(folder.path, 'out')
    const got = await b.content.get(added.cid.toString(), { output })
    assert.equal(got.blocksFetched, 6)
    assert.deepEqual(await readFile(output), await readFile(join(folder.path, 'file')))
    assert.equal(b.host.libp2p.getConnections(a.host.libp2p.peerId).length > 0, true)
  })

  it('is not found by a node that has no content routing and knows the seed only', async () => {
    await using seed = await startContentNode({ role: 'seed' })
    await using a = await startContentNode({ bootstrapPeers: addressesOf(seed) })
    const { cid } = await a.content.addFiles([{ path: 'a', content: utf8('a') }])
    // A bare libp2p node: in the DHT it would be met by everybody, and so could ask A without looking for it.
    await using b = await startBareNode()
    await b.libp2p.dial(multiaddr(addressesOf(seed)[0]))
    await assert.rejects(b.content.read(cid, 'a', readAll), { code: 'ERR_ROUTING_OFF' })
    await b.libp2p.dial(multiaddr(addressesOf(a)[0]))
    assert.equal(Buffer.from(await b.content.read(cid, 'a', readAll)).toString(), 'a')
  })

  it('that is private is not served, even to a connected peer that knows every CID', async () => {
    await using a = await startContentNode()
    await using b = await startContentNode({ bootstrapPeers: addressesOf(a) })
    await using friend = await startContentNode({ bootstrapPeers: addressesOf(a) })
    await b.host.connect(addressesOf(a)[0] ?? '')
    await friend.host.connect(addressesOf(a)[0] ?? '')
    const secret = { path: 'secret', content: utf8('a secret') }
    const { cid } = await a.content.addFiles([secret], { private: true })
    const leaf = cidOf(RAW_CODEC, secret.content)
    await assert.rejects(b.content.read(cid, 'secret', readAll), { code: 'ERR_CONTENT_NO_PROVIDERS' })
    await assert.rejects(b.content.getBlock(leaf), { code: 'ERR_CONTENT_NO_PROVIDERS' })
    await a.content.pin(cid, { readers: [didFromPeerId(friend.host.peerId)] })
    await assert.rejects(b.content.getBlock(leaf), { code: 'ERR_CONTENT_NO_PROVIDERS' })
    assert.equal(Buffer.from(await friend.content.getBlock(leaf)).toString(), 'a secret')
    await a.content.pin(cid, { private: false })
    assert.equal(Buffer.from(await b.content.read(cid, 'secret', readAll)).toString(), 'a secret')
  })

  it('of a peer that is gone is told from content that nobody has', async () => {
    await using seed = await startContentNode({ role: 'seed' })
    await using b = await startContentNode({ bootstrapPeers: addressesOf(seed) })
    const a = await startContentNode({ bootstrapPeers: addressesOf(seed) })
    const { cid } = await a.content.addFiles([{ path: 'a', content: utf8('a') }])
    await a[Symbol.asyncDispose]()
    await assert.rejects(b.content.read(cid, 'a', readAll), { code: 'ERR_PROVIDER_UNREACHABLE' })
    const unknown = cidOf(RAW_CODEC, utf8('nobody has this'))
    await assert.rejects(b.content.read(unknown, '', readAll), { code: 'ERR_CONTENT_NO_PROVIDERS' })
  })

  it('is found again when its node has restarted elsewhere', async () => {
    await using folder = await createTemporaryFolder()
    await using seed = await startContentNode({ role: 'seed' })
    const datastore = new MemoryDatastore()
    const keyPair = createKeyPair(systemRandom)
    const init = {
      bootstrapPeers: addressesOf(seed),
      datastore,
      keyPair,
      blocks: join(folder.path, 'blocks')
    }
    const first = await startContentNode(init)
    const { cid } = await first.content.addFiles([{ path: 'a', content: utf8('still here') }])
    await first[Symbol.asyncDispose]()
    await using again = await startContentNode(init)
    await until(() => again.content.status().announcements.announced === 1)
    await using b = await startContentNode({ bootstrapPeers: addressesOf(seed) })
    assert.equal(Buffer.from(await b.content.read(cid, 'a', readAll)).toString(), 'still here')
  })

  it('that was fetched is served on by whoever pinned it, when the first is gone', async () => {
    await using seed = await startContentNode({ role: 'seed' })
    const a = await startContentNode({ bootstrapPeers: addressesOf(seed) })
    await using b = await startContentNode({ bootstrapPeers: addressesOf(seed) })
    await using c = await startContentNode({ bootstrapPeers: addressesOf(seed) })
    const { cid } = await a.content.addFiles([{ path: 'a', content: bytesOf(3_000_000) }])
    const { announcement } = await b.content.pin(cid)
    assert.deepEqual(announcement, { state: 'announced' })
    await a[Symbol.asyncDispose]()
    assert.equal((await c.content.read(cid, 'a', readAll)).length, 3_000_000)
    assert.deepEqual([...b.misbehaviour, ...c.misbehaviour], [])
  })
})

describe('a get of one block', () => {
  it('counts it, and leaves it to the next collection', async () => {
    await using folder = await createTemporaryFolder()
    await using a = await startBareNode()
    await using b = await startBareNode()
    const { cid } = await a.content.putBlock(utf8('all of it'), { codec: 'raw', public: true })
    await b.libp2p.dial(a.libp2p.getMultiaddrs())
    const { blocksFetched } = await b.content.get(cid.toString(), { output: join(folder.path, 'out') })
    const { blocksKept, blocksRemoved } = await b.content.gc()
    assert.deepEqual([blocksFetched, blocksKept, blocksRemoved], [1, 0, 1])
  })
})
