import assert from 'node:assert/strict'
import { MemoryDatastore } from 'datastore-core'
import type { CID } from 'multiformats/cid'
import { ipnsNameFromDid } from '#did'
import type { Did } from '#did'
import { cidOfBlock, sealIndex } from '../../../dht/index-block.ts'
import type { IndexContent } from '../../../dht/index-block.ts'
import { NAME_VALIDITY_MS } from '../../../dht/name-constants.ts'
import type { Names } from '../../../dht/names.ts'
import { createPublisherIndex } from '../../../dht/publisher-index.ts'
import type { IndexBlocks, PublisherIndex } from '../../../dht/publisher-index.ts'
import { cidOf, createMemoryDht, numberedKey, startMemoryNames } from '../../support/memory-names.ts'
import type { MemoryDht } from '../../support/memory-names.ts'
import { createVirtualClock } from '../../support/virtual-clock.ts'
import type { VirtualClock } from '../../support/virtual-clock.ts'

const alice = numberedKey(1)
const mallory = numberedKey(2)
const { signal } = new AbortController()
const hello = { kind: 'capsule', name: 'hello' }

interface Bench extends AsyncDisposable {
  readonly dht: MemoryDht
  readonly clock: VirtualClock
  readonly blocks: Map<string, Uint8Array>
  readonly replaced: string[]
  device(datastore?: MemoryDatastore): { names: Names; index: PublisherIndex }
}

/** Devices that share a pretended DHT and a pretended content network. */
function createBench(): Bench {
  const dht = createMemoryDht(2)
  const clock = createVirtualClock()
  const stack = new AsyncDisposableStack()
  const blocks = new Map<string, Uint8Array>()
  const replaced: string[] = []
  const shared: IndexBlocks = {
    get: async (cid) => {
      const bytes = blocks.get(cid.toString())
      if (bytes === undefined) throw new Error(`nobody has ${cid.toString()}`)
      return Promise.resolve(bytes)
    },
    put: async (bytes, { replaces }) => {
      const cid = cidOfBlock(bytes)
      blocks.set(cid.toString(), bytes)
      if (replaces !== undefined) replaced.push(replaces.toString())
      return Promise.resolve(cid)
    }
  }
  return {
    dht,
    clock,
    blocks,
    replaced,
    device: (datastore = new MemoryDatastore()) => {
      const names = stack.use(startMemoryNames(dht, clock, { datastore }))
      return { names, index: createPublisherIndex({ names, blocks: shared, datastore, clock }) }
    },
    [Symbol.asyncDispose]: () => stack.disposeAsync()
  }
}

/** Publishes an index that `signer` made by hand under the name of alice. */
async function publishByHand(
  bench: Bench,
  content: IndexContent,
  o: { signer?: typeof alice } = {}
): Promise<CID> {
  const block = sealIndex(o.signer ?? alice, { content, updatedAtMs: 1 })
  bench.blocks.set(block.cid.toString(), block.bytes)
  await bench.device().names.publish(alice, { value: block.cid, signal, firstPublish: true })
  return block.cid
}

describe('dht/publisher-index', () => {
  it('finds by did, or IPNS name, and name what another device published, entry by entry', async () => {
    await using bench = createBench()
    const [publisher, reader] = [bench.device().index, bench.device().index]
    const [one, two, other] = await Promise.all(['one', 'two', 'other'].map(cidOf))
    assert.ok(one && two && other)
    await publisher.publish(alice, { ...hello, head: one, signal, firstPublish: true })
    await publisher.publish(alice, { kind: 'share', name: 'photos', head: other, signal })
    const published = await publisher.publish(alice, { ...hello, head: two, signal })
    assert.deepEqual([published.sequence, published.nameSequence], [2, 3n])
    const found = await reader.lookup(ipnsNameFromDid(alice.did), { ...hello, signal })
    assert.equal(found.head.toString(), two.toString())
    assert.deepEqual([found.sequence, found.nameSequence, found.fromCache], [2, 3n, false])
    assert.equal(found.updatedAtMs, bench.clock.nowMs())
    const share = await reader.lookup(alice.did, { kind: 'share', name: 'photos', signal })
    assert.deepEqual([share.head.toString(), share.sequence], [other.toString(), 1])
    const absent = reader.lookup(alice.did, { kind: 'capsule', name: 'photos', signal })
    await assert.rejects(absent, { code: 'ERR_INDEX_ENTRY_NOT_FOUND' })
    assert.equal(bench.replaced.length, 2)
  })

  it('keeps what another device of the same person published, also when both publish at once', async () => {
    await using bench = createBench()
    const [laptop, phone, reader] = [bench.device().index, bench.device().index, bench.device().index]
    await laptop.publish(alice, { ...hello, head: await cidOf('first'), signal, firstPublish: true })
    const names = ['a', 'b', 'c', 'd']
    const publish = async (name: string, at: number): Promise<unknown> =>
      (at % 2 === 0 ? laptop : phone).publish(alice, { kind: 'share', name, head: await cidOf(name), signal })
    await Promise.all(names.map(publish))
    for (const name of names) {
      const found = await reader.lookup(alice.did, { kind: 'share', name, signal })
      assert.equal(found.head.toString(), (await cidOf(name)).toString())
    }
    assert.equal((await reader.lookup(alice.did, { ...hello, signal })).sequence, 1)
  })

  it('refuses to publish over an index that it cannot have, and with a key it knows nothing of', async () => {
    await using bench = createBench()
    const head = await cidOf('x')
    const unknown = bench.device().index.publish(alice, { ...hello, head, signal })
    await assert.rejects(unknown, { code: 'ERR_NAME_UNRESOLVED' })
    await bench.device().index.publish(alice, { ...hello, head, signal, firstPublish: true })
    bench.blocks.clear()
    const blind = bench
      .device()
      .index.publish(alice, { kind: 'share', name: 'x', head, signal, firstPublish: true })
    await assert.rejects(blind, /nobody has/)
  })

  it('refuses a version older than one seen, over a restart too', async () => {
    await using bench = createBench()
    const datastore = new MemoryDatastore()
    const cid = await cidOf('x')
    await publishByHand(bench, { capsule: { hello: { cid, sequence: 5, updatedAtMs: 1 } } })
    assert.equal((await bench.device(datastore).index.lookup(alice.did, { ...hello, signal })).sequence, 5)
    await publishByHand(bench, { capsule: { hello: { cid, sequence: 4, updatedAtMs: 2 } } })
    const restarted = bench.device(datastore).index
    await assert.rejects(restarted.lookup(alice.did, { ...hello, signal }), { code: 'ERR_NAME_STALE' })
    assert.equal((await bench.device().index.lookup(alice.did, { ...hello, signal })).sequence, 4)
  })

  it('refuses an index of another signer, other bytes, and a block that is no index', async () => {
    await using bench = createBench()
    const reader = bench.device().index
    const content = { capsule: { hello: { cid: await cidOf('x'), sequence: 1, updatedAtMs: 1 } } }
    await publishByHand(bench, content, { signer: mallory })
    await assert.rejects(reader.lookup(alice.did, { ...hello, signal }), { code: 'ERR_INDEX_SIGNER' })
    const cid = await publishByHand(bench, content)
    bench.blocks.set(cid.toString(), Uint8Array.of(1, 2, 3))
    await assert.rejects(reader.lookup(alice.did, { ...hello, signal }), { code: 'ERR_INDEX_INVALID' })
    const bytes = new TextEncoder().encode('hello')
    const raw = await cidOf('hello')
    bench.blocks.set(raw.toString(), bytes)
    await bench.device().names.publish(alice, { value: raw, signal })
    await assert.rejects(reader.lookup(alice.did, { ...hello, signal }), { code: 'ERR_INDEX_INVALID' })
  })

  it('refuses names that a terminal, a path or an index could misread', async () => {
    await using bench = createBench()
    const { index } = bench.device()
    const head = await cidOf('x')
    const names = [
      '',
      'Hello',
      'a b',
      '../x',
      '.hidden',
      'x.',
      '\u001b[31mred',
      'é',
      '__proto__',
      'a'.repeat(65)
    ]
    for (const name of names) {
      const refused = { code: 'ERR_INDEX_ENTRY_INVALID' }
      await assert.rejects(index.lookup(alice.did, { kind: 'capsule', name, signal }), refused)
      const publishing = index.publish(alice, { kind: 'capsule', name, head, signal, firstPublish: true })
      await assert.rejects(publishing, refused)
    }
    await assert.rejects(index.lookup(alice.did, { kind: 'Capsule', name: 'x', signal }), {
      code: 'ERR_INDEX_ENTRY_INVALID'
    })
    await assert.rejects(index.lookup('did:key:nobody', { ...hello, signal }), { code: 'ERR_DID_INVALID' })
  })

  it('refuses more entries than an index may have', async () => {
    await using bench = createBench()
    const cid = await cidOf('x')
    const head = { cid, sequence: 1, updatedAtMs: 1 }
    const full = Object.fromEntries(Array.from({ length: 10_000 }, (_, index) => [`n${index}`, head]))
    await publishByHand(bench, { capsule: full })
    const one = bench.device().index.publish(alice, { ...hello, head: cid, signal })
    await assert.rejects(one, { code: 'ERR_INDEX_TOO_LARGE' })
  })

  it('goes on after its name has expired, and after the network took nothing', async () => {
    await using bench = createBench()
    const { index } = bench.device()
    const head = await cidOf('x')
    await index.publish(alice, { ...hello, head, signal, firstPublish: true })
    bench.clock.shiftWallClock(NAME_VALIDITY_MS + 1)
    await assert.rejects(index.lookup(alice.did, { ...hello, signal }), { code: 'ERR_NAME_EXPIRED' })
    assert.equal((await index.publish(alice, { ...hello, head, signal })).sequence, 2)
    for (const peer of bench.dht.peers) peer.isStoring = false
    await assert.rejects(index.publish(alice, { ...hello, head, signal }), { code: 'ERR_DHT_NOT_STORED' })
    assert.equal((await index.lookup(alice.did, { ...hello, signal })).sequence, 3)
    for (const peer of bench.dht.peers) peer.isStoring = true
    assert.equal((await index.publish(alice, { ...hello, head, signal })).sequence, 4)
  })

  it('says when what it found is from memory', async () => {
    await using bench = createBench()
    const [publisher, reader] = [bench.device().index, bench.device().index]
    await publisher.publish(alice, { ...hello, head: await cidOf('x'), signal, firstPublish: true })
    await reader.lookup(alice.did satisfies Did, { ...hello, signal })
    for (const peer of bench.dht.peers) peer.isReachable = false
    assert.equal((await reader.lookup(alice.did, { ...hello, signal })).fromCache, true)
  })
})
