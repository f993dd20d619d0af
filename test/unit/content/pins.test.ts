import assert from 'node:assert/strict'
import * as dagCbor from '@ipld/dag-cbor'
import { join } from 'node:path'
import { MemoryDatastore } from 'datastore-core'
import { systemRandom } from '#contracts'
import { cidOf, DAG_CBOR_CODEC, RAW_CODEC } from '#content'
import { didFromPeerId } from '#did'
import { PIN_READERS_MAX, SMALL_BLOCK_BYTES_MAX } from '../../../content/constants.ts'
import { FailingDisk } from '../../support/failing-disk.ts'
import { createTemporaryFolder } from '../../support/temporary-folder.ts'
import { bytesOf, fakeExchange, randomPeerId, startFixture, utf8 } from './fixture.ts'
import { openIn } from './pack-store.ts'

describe('pins', () => {
  it('are there with their names after a restart, and what is under them is served again', async () => {
    await using first = await startFixture()
    const { cid } = await first.content.addFiles([{ path: 'a', content: utf8('a') }], { name: 'mine' })
    await using again = await startFixture({ datastore: first.datastore, blocks: first.store })
    const [pin] = await Array.fromAsync(again.content.pins())
    assert.deepEqual(
      [pin?.cid.toString(), pin?.name, pin?.isPublic, pin?.bytes],
      [cid.toString(), 'mine', true, 1]
    )
    assert.equal(await again.content.mayServe(cid, randomPeerId()), true)
  })

  it('survive a power cut with all their blocks, those that a get had left here too', async () => {
    await using source = await startFixture()
    const { cid } = await source.content.addFiles([{ path: 'a', content: bytesOf(2_000_000) }])
    await using folder = await createTemporaryFolder()
    const blocks = join(folder.path, 'blocks')
    // It forgets all that was not synced.
    const disk = new FailingDisk({ ...systemRandom, unit: () => 0.99 })
    await using store = await openIn(blocks, disk.powers)
    await using node = await startFixture({ blocks: store, exchange: fakeExchange([source.peer]) })
    await node.content.get(cid.toString(), { output: join(folder.path, 'got') })
    await node.content.pin(cid)
    await disk.cut()
    await using after = await openIn(blocks)
    for await (const block of source.store.list()) assert.notEqual(await after.get(block), undefined)
  })

  it('keep the version 0 and 1 text of a CID as one pin', async () => {
    await using node = await startFixture()
    const { cid } = await node.content.addFiles([{ path: 'a', content: utf8('a') }])
    await node.content.pin(cid.toV0())
    assert.equal((await Array.fromAsync(node.content.pins())).length, 1)
    await node.content.unpin(cid.toV0())
    assert.equal(await node.content.mayServe(cid, randomPeerId()), false)
  })

  it('keep their visibility when pinned again without saying, and change it when told', async () => {
    await using node = await startFixture()
    const { cid } = await node.content.addFiles([{ path: 'a', content: utf8('a') }], { private: true })
    const silent = await node.content.pin(cid, { name: 'named' })
    assert.deepEqual([silent.pin.isPublic, silent.pin.name], [false, 'named'])
    const opened = await node.content.pin(cid, { private: false })
    assert.deepEqual([opened.pin.isPublic, opened.announcement.state], [true, 'announced'])
    const closed = await node.content.pin(cid, { private: true })
    assert.deepEqual([closed.pin.isPublic, closed.pin.name], [false, 'named'])
    assert.equal(await node.content.mayServe(cid, randomPeerId()), false)
    assert.equal(node.content.status().announcements.announced, 0)
  })

  it('shared with some are served to them alone', async () => {
    await using node = await startFixture()
    const friend = randomPeerId()
    const { cid } = await node.content.addFiles([{ path: 'a', content: utf8('for you') }], {
      readers: [didFromPeerId(friend)]
    })
    assert.deepEqual(node.provided, [])
    await using reader = await startFixture({ exchange: fakeExchange([node.peer], { peerId: friend }) })
    assert.equal(Buffer.from(await reader.content.read(cid, 'a', { bytesMax: 99 })).toString(), 'for you')
    assert.equal(await node.content.mayServe(cid, randomPeerId()), false)
    assert.equal(await node.content.mayServe(cid, 'QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWnPbdG'), false)
  })

  it('under a denied root or of a denied block serve nothing', async () => {
    const denied = new Set<string>()
    await using node = await startFixture({ isDenied: (cid) => denied.has(cid.toString()) })
    const files = [
      { path: 'a', content: utf8('a') },
      { path: 'b', content: utf8('b') }
    ]
    const { cid } = await node.content.addFiles(files)
    const leaf = cidOf(RAW_CODEC, utf8('a'))
    denied.add(leaf.toString())
    assert.equal(await node.content.mayServe(leaf, randomPeerId()), false)
    assert.equal(await node.content.mayServe(cid, randomPeerId()), true)
    denied.clear()
    denied.add(cid.toString())
    assert.equal(await node.content.mayServe(leaf, randomPeerId()), false)
  })

  it('follow the links of data as well as those of files', async () => {
    await using source = await startFixture()
    const file = await source.content.addFiles([{ path: 'a', content: bytesOf(3_000_000) }])
    const index = dagCbor.encode({ latest: { head: file.cid }, list: [file.cid] })
    const { cid } = await source.content.putBlock(index, { codec: 'dag-cbor', public: true })
    await using node = await startFixture({ exchange: fakeExchange([source.peer]) })
    await node.content.pin(cid)
    assert.equal((await node.content.read(file.cid, 'a', { bytesMax: 3_000_000 })).length, 3_000_000)
    assert.equal(
      await node.content.mayServe(cidOf(RAW_CODEC, bytesOf(3_000_000).subarray(0, 1 << 20)), 'x'),
      true
    )
  })

  it('have bounds: readers, names, and what is no pin', async () => {
    await using node = await startFixture()
    const { cid } = await node.content.addFiles([{ path: 'a', content: utf8('a') }])
    const readers = Array.from({ length: PIN_READERS_MAX + 1 }, () => didFromPeerId(randomPeerId()))
    await assert.rejects(node.content.pin(cid, { readers }), { code: 'ERR_PIN_LIMIT' })
    await assert.rejects(node.content.pin(cid, { name: 'n'.repeat(10_000) }), { code: 'ERR_PIN_LIMIT' })
    await assert.rejects(node.content.unpin(cidOf(RAW_CODEC, utf8('none'))), { code: 'ERR_PIN_NOT_FOUND' })
  })

  it('say that the disk is full when the index cannot be written, and serve nothing then', async () => {
    class FullDatastore extends MemoryDatastore {
      isFull = false
      override put(...args: Parameters<MemoryDatastore['put']>): ReturnType<MemoryDatastore['put']> {
        if (this.isFull) throw new Error('IO error: No space left on device')
        return super.put(...args)
      }
    }
    const datastore = new FullDatastore()
    await using node = await startFixture({ datastore })
    datastore.isFull = true
    await assert.rejects(node.content.addFiles([{ path: 'a', content: utf8('a') }]), {
      code: 'ERR_DISK_FULL'
    })
    assert.equal(await node.content.mayServe(cidOf(RAW_CODEC, utf8('a')), 'x'), false)
    datastore.isFull = false
    assert.equal((await node.content.addFiles([{ path: 'a', content: utf8('a') }])).isPublic, true)
  })
})

describe('small blocks', () => {
  it('are private unless public, and a public one shows nothing of what it links to', async () => {
    await using node = await startFixture()
    const secret = await node.content.addFiles([{ path: 'a', content: utf8('secret') }], { private: true })
    const bytes = dagCbor.encode({ head: secret.cid })
    const quiet = await node.content.putBlock(bytes, { codec: 'dag-cbor' })
    assert.equal(await node.content.mayServe(quiet.cid, 'x'), false)
    const loud = await node.content.putBlock(bytes, { codec: 'dag-cbor', public: true })
    assert.equal(loud.cid.code, DAG_CBOR_CODEC)
    assert.deepEqual(loud.announcement, { state: 'announced' })
    assert.equal(await node.content.mayServe(loud.cid, 'x'), true)
    assert.equal(await node.content.mayServe(secret.cid, 'x'), false)
    await using reader = await startFixture({ exchange: fakeExchange([node.peer]) })
    assert.deepEqual(Buffer.from(await reader.content.getBlock(loud.cid)), Buffer.from(bytes))
  })

  it('are small', async () => {
    await using node = await startFixture()
    const large = new Uint8Array(SMALL_BLOCK_BYTES_MAX + 1)
    await assert.rejects(node.content.putBlock(large, { codec: 'raw' }), { code: 'ERR_BLOCK_TOO_LARGE' })
  })
})

describe('garbage collection', () => {
  it('takes what nothing keeps, and only that', async () => {
    await using node = await startFixture()
    const shared = { path: 'shared', content: utf8('shared') }
    const kept = await node.content.addFiles([shared, { path: 'kept', content: utf8('kept') }])
    const gone = await node.content.addFiles([shared, { path: 'gone', content: utf8('gone') }], {
      private: true
    })
    const head = await node.content.putBlock(utf8('head'), { codec: 'raw' })
    await node.content.unpin(gone.cid)
    const { blocksKept, blocksRemoved } = await node.content.gc()
    assert.deepEqual([blocksKept, blocksRemoved], [4, 2])
    assert.equal(await node.store.has(cidOf(RAW_CODEC, utf8('gone'))), false)
    assert.equal(await node.store.has(head.cid), true)
    assert.equal(
      Buffer.from(await node.content.read(kept.cid, 'shared', { bytesMax: 9 })).toString(),
      'shared'
    )
    let keys = 0
    for await (const { key } of node.datastore.query({ prefix: '/content/1/under/' })) if (key) keys++
    assert.equal(keys, 3, 'keys of the root that is gone are left')
  })

  it('runs once at a time', async () => {
    await using node = await startFixture()
    const collecting = node.content.gc()
    await assert.rejects(node.content.gc(), { code: 'ERR_CONTENT_BUSY' })
    await collecting
    await node.content.gc()
  })

  it('spares what an add has written, and what it found here, before it is kept', async () => {
    await using node = await startFixture()
    const old = await node.content.addFiles([{ path: 'a', content: bytesOf(3_000_000, 1) }])
    await node.content.unpin(old.cid)
    const held = Promise.withResolvers<undefined>()
    const reached = Promise.withResolvers<undefined>()
    const content = (async function* () {
      yield bytesOf(3_000_000, 1)
      yield bytesOf(3_000_000, 2)
      reached.resolve(undefined)
      await held.promise
      yield bytesOf(3_000_000, 3)
    })()
    const adding = node.content.addFiles([{ path: 'a', content }])
    await reached.promise
    await node.content.gc()
    held.resolve(undefined)
    const { cid } = await adding
    assert.equal((await node.content.read(cid, 'a', { bytesMax: 9_000_000 })).length, 9_000_000)
    await node.content.gc()
    assert.equal((await node.content.read(cid, 'a', { bytesMax: 9_000_000 })).length, 9_000_000)
  })

  it('spares what a pin has fetched, and leaves alone what it has noted of it', async () => {
    await using source = await startFixture()
    const files = Array.from({ length: 600 }, (_, index) => ({
      path: `f${index}`,
      content: utf8(`f${index}`)
    }))
    const { cid } = await source.content.addFiles(files)
    const held = Promise.withResolvers<undefined>()
    const reached = Promise.withResolvers<undefined>()
    const exchange = fakeExchange([source.peer], {
      before: async (_cid, count) => {
        if (count < 500) return
        reached.resolve(undefined)
        await held.promise
      }
    })
    await using node = await startFixture({ exchange })
    const pinning = node.content.pin(cid)
    await reached.promise
    await node.content.gc()
    held.resolve(undefined)
    await pinning
    await node.content.gc()
    const peer = randomPeerId()
    for await (const block of source.store.list()) {
      assert.equal(await node.store.has(block), true)
      assert.equal(await node.content.mayServe(block, peer), true)
    }
  })

  it('removes what was cached, and spares a get that runs', async () => {
    await using source = await startFixture()
    await using folder = await createTemporaryFolder()
    const { cid } = await source.content.addFiles([{ path: 'a', content: bytesOf(5_000_000) }])
    const held = Promise.withResolvers<undefined>()
    const reached = Promise.withResolvers<undefined>()
    const exchange = fakeExchange([source.peer], {
      before: async (_cid, count) => {
        if (count < 2) return
        reached.resolve(undefined)
        await held.promise
      }
    })
    await using node = await startFixture({ exchange })
    const getting = node.content.get(cid.toString(), { output: join(folder.path, 'out') })
    await reached.promise
    assert.equal((await node.content.gc()).blocksRemoved, 0)
    held.resolve(undefined)
    await getting
    const { blocksRemoved } = await node.content.gc()
    assert.equal(blocksRemoved, 7)
    assert.equal(node.store.stat().blocks, 0)
  })
})

describe('packages', () => {
  const limits = { bytesMax: 1000, filesMax: 3 }

  it('are read back file by file', async () => {
    await using node = await startFixture()
    const files = [
      { path: 'manifest.json', content: utf8('{}') },
      { path: 'wasm/main.wasm', content: utf8('\0asm') },
      { path: 'empty', content: new Uint8Array() }
    ]
    const { cid } = await node.content.addFiles(files)
    const read = await Array.fromAsync(node.content.readFiles(cid, limits))
    const plain = read.map(({ path, content }) => [path, Buffer.from(content).toString()])
    assert.deepEqual(plain, [
      ['empty', ''],
      ['manifest.json', '{}'],
      ['wasm/main.wasm', '\0asm']
    ])
  })

  it('are refused beyond their limits', async () => {
    await using node = await startFixture()
    const names = ['a', 'b', 'c', 'd']
    const many = await node.content.addFiles(names.map((path) => ({ path, content: utf8(path) })))
    await assert.rejects(Array.fromAsync(node.content.readFiles(many.cid, limits)), {
      code: 'ERR_CONTENT_TOO_LARGE'
    })
    const large = await node.content.addFiles([{ path: 'a', content: new Uint8Array(1001) }])
    await assert.rejects(Array.fromAsync(node.content.readFiles(large.cid, limits)), {
      code: 'ERR_CONTENT_TOO_LARGE'
    })
    const file = cidOf(RAW_CODEC, utf8('a'))
    await assert.rejects(Array.fromAsync(node.content.readFiles(file, limits)), { code: 'ERR_NOT_A_FOLDER' })
  })
})
