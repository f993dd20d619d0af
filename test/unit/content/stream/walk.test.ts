import assert from 'node:assert/strict'
import * as dagCbor from '@ipld/dag-cbor'
import * as dagPb from '@ipld/dag-pb'
import { CID } from 'multiformats/cid'
import * as Digest from 'multiformats/hashes/digest'
import { cidOf, createMemoryBlockStore, DAG_CBOR_CODEC, DAG_PB_CODEC, RAW_CODEC } from '#content'
import type { BlockStore } from '#content'
import { importEntries } from '../../../../content/file-entries.ts'
import type { Ask } from '../../../../content/stream/frames.ts'
import { createWalk, stepKey, type Walk } from '../../../../content/stream/walk.ts'
import { putFile } from '../../../net/content/stream-nodes.ts'

const MIB = 1024 * 1024

/** Walks to the end, by whichever way of taking a block, and returns what was passed. */
async function walkAll(store: BlockStore, walk: Walk, by: 'take' | 'takeFirst' = 'take'): Promise<CID[]> {
  const passed: CID[] = []
  for (let cid = walk.next(); cid !== undefined; cid = walk.next()) {
    const upcoming = walk.upcoming(64)
    assert.ok(upcoming[0]?.cid.equals(cid), 'what is upcoming begins with what is next')
    passed.push(cid)
    walk[by]((await store.get(cid)) as Uint8Array)
  }
  return passed
}

async function passedBy(store: BlockStore, ask: Ask): Promise<CID[]> {
  return await walkAll(store, await createWalk(ask))
}

async function putFolder(store: BlockStore, files: Readonly<Record<string, string>>): Promise<CID> {
  const entries = Object.entries(files).map(([path, text]) => ({ path, content: Buffer.from(text) }))
  const signal = new AbortController().signal
  return (await importEntries(entries, { store, entriesMax: 100_000, signal })).cid
}

const lastText = async (store: BlockStore, cids: readonly CID[]): Promise<string> =>
  Buffer.from((await store.get(cids.at(-1) as CID)) as Uint8Array).toString()

describe('the walk of a DAG', () => {
  it('passes every block once, parents first', async () => {
    const store = createMemoryBlockStore()
    const root = await putFolder(store, { 'a/x': 'one', 'a/y': 'two', 'b/x': 'one', 'b/z': 'three' })
    const passed = (await passedBy(store, { roots: [root], below: true })).map(String)
    assert.equal(passed[0], root.toString())
    assert.equal(new Set(passed).size, passed.length)
    assert.equal(passed.length, 1 + 2 + 3)
  })

  it('passes the roots alone when nothing below is asked for', async () => {
    const store = createMemoryBlockStore()
    const root = await putFolder(store, { a: 'one' })
    assert.deepEqual(await passedBy(store, { roots: [root], below: false }), [root])
  })

  it('follows a path, also through a sharded folder, and passes only what leads there', async () => {
    const store = createMemoryBlockStore()
    const many = Object.fromEntries(
      Array.from({ length: 6_000 }, (_, index) => [`deep/${'n'.repeat(40)}${index}`, `text ${index}`])
    )
    const root = await putFolder(store, many)
    const path = ['deep', `${'n'.repeat(40)}4711`]
    const passed = await passedBy(store, { roots: [root], below: true, path })
    assert.equal(await lastText(store, passed), 'text 4711')
    assert.ok(passed.length < 8, `${passed.length} blocks for one file`)
    const missing = await passedBy(store, { roots: [root], below: true, path: ['deep', 'nothing'] })
    assert.ok(missing.every((cid) => cid.code !== RAW_CODEC))
  })

  it('passes those parts of a file that hold some of a range', async () => {
    const store = createMemoryBlockStore()
    const root = await putFile(store, { bytes: 5 * MIB + 10 })
    const all = await passedBy(store, { roots: [root], below: true })
    const some = await passedBy(store, {
      roots: [root],
      below: true,
      range: { from: 2 * MIB - 1, to: 3 * MIB + 1 }
    })
    assert.deepEqual(some.map(String), [all[0], ...all.slice(2, 5)].map(String))
    const end = await passedBy(store, { roots: [root], below: true, range: { from: 5 * MIB, to: 99 * MIB } })
    assert.deepEqual(end.map(String), [all[0], all.at(-1)].map(String))
  })

  it('takes the links of DAG-CBOR in the order of their encoding', async () => {
    const store = createMemoryBlockStore()
    const put = async (codec: number, bytes: Uint8Array): Promise<CID> => {
      const cid = cidOf(codec, bytes)
      await store.put(cid, bytes)
      return cid
    }
    const [a, b, c, d] = await Promise.all(
      ['a', 'b', 'c', 'd'].map((text) => put(RAW_CODEC, Buffer.from(text)))
    )
    const value = { 10: a, bb: [b, { z: c }], a: d }
    const root = await put(DAG_CBOR_CODEC, dagCbor.encode(value))
    const passed = await passedBy(store, { roots: [root], below: true })
    assert.deepEqual(passed.slice(1).map(String), [d, a, b, c].map(String))
  })

  it('is the same where only the first link of a block is told at once', async () => {
    const store = createMemoryBlockStore()
    const put = async (codec: number, bytes: Uint8Array): Promise<CID> => {
      const cid = cidOf(codec, bytes)
      await store.put(cid, bytes)
      return cid
    }
    const linked = async (hashes: readonly CID[], tail: Uint8Array = new Uint8Array()): Promise<CID> => {
      const Links = hashes.map((Hash) => ({ Hash, Name: '', Tsize: 1 }))
      const bytes = Buffer.concat([dagPb.encode({ Data: new Uint8Array(1), Links }), tail])
      return await put(DAG_PB_CODEC, bytes)
    }
    const [a, b] = await Promise.all(['a', 'b'].map((text) => put(RAW_CODEC, Buffer.from(text))))
    const [leafA, leafB] = [a as CID, b as CID]
    const inner = await linked([leafA, leafB])
    const roots = [
      await putFile(store, { bytes: 3 * MIB }),
      await putFolder(store, { 'a/x': 'one', 'a/y': 'two', 'b/x': 'one' }),
      // its first link repeats what has passed, or is in nobody's hands
      await linked([inner, inner, leafA]),
      await linked([CID.createV1(RAW_CODEC, Digest.create(0, Buffer.from('its own'))), leafB]),
      // whose end nobody can decode, so that it has no links
      await linked([leafA, leafB], Uint8Array.of(0xff, 0xff)),
      await linked([])
    ]
    for (const root of roots) {
      const walk = async (): Promise<Walk> => await createWalk({ roots: [root], below: true })
      const passed = await walkAll(store, await walk())
      assert.deepEqual((await walkAll(store, await walk(), 'takeFirst')).map(String), passed.map(String))
      const bytes = (await store.get(root)) as Uint8Array
      const [one, other] = [await walk(), await walk()]
      one.take(bytes)
      other.takeFirst(bytes)
      const next = one.next()
      assert.deepEqual(other.next(), next)
      if (next?.code === RAW_CODEC) for (const each of [one, other]) each.take(Buffer.from('a leaf'))
      assert.deepEqual(other.split().map(String), one.split().map(String))
      assert.deepEqual(other.rest().map(String), one.rest().map(String))
      assert.equal(other.size, one.size)
    }
  })

  it('tells of a block with many links the first alone, until that has come', async () => {
    const store = createMemoryBlockStore()
    const root = await putFile(store, { bytes: 3 * MIB })
    const walk = await createWalk({ roots: [root], below: true })
    const [, first, ...others] = await passedBy(store, { roots: [root], below: true })
    const keys: string[] = []
    walk.onRead = (others) => keys.push(...others)
    keys.push(...walk.takeFirst((await store.get(root)) as Uint8Array))
    const told = (): string[] => walk.upcoming(64).map(({ cid }) => cid.toString())
    assert.deepEqual(told(), [String(first)])
    assert.deepEqual(walk.takeFirst((await store.get(first as CID)) as Uint8Array), [])
    assert.equal(walk.hasUnread, true, 'it has passed before the others are decoded')
    assert.deepEqual(keys, [stepKey(first as CID)])
    assert.deepEqual(told(), others.map(String))
    assert.deepEqual(keys, [first as CID, ...others].map(stepKey))
    assert.equal(walk.hasUnread, false)
  })

  it('goes on elsewhere with what was split off, and misses nothing', async () => {
    const store = createMemoryBlockStore()
    const root = await putFile(store, { bytes: 9 * MIB })
    const all = await passedBy(store, { roots: [root], below: true })
    const [here, there] = await Promise.all([
      createWalk({ roots: [root], below: true }),
      createWalk({ roots: [root], below: true })
    ])
    for (const walk of [here, there]) {
      for (let count = 0; count < 3; count++) walk.take((await store.get(walk.next() as CID)) as Uint8Array)
    }
    const split = here.split()
    assert.deepEqual(there.handBack(split.length).map(String), split.map(String))
    const rest = await walkAll(store, here)
    const moved = await passedBy(store, { roots: split, below: true })
    assert.deepEqual([...all.slice(0, 3), ...rest, ...moved].map(String), all.map(String))
    assert.ok(moved.length >= 3 && rest.length >= 3)
  })
})
