import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { lstat, mkdir, readdir, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { blockKey, cidOf, RAW_CODEC } from '../../../content/cid.ts'
import { describeBlockStore } from '../../contract/block-store.ts'
import { createFilePowers } from '../../../content/powers.ts'
import { createTemporaryFolder } from '../../support/temporary-folder.ts'
import {
  assertHas,
  blockOf,
  blocks,
  changedDisk,
  flip,
  listed,
  onlyPack,
  openIn,
  signal,
  smallDisk
} from './pack-store.ts'

describeBlockStore('packs', async () => {
  const folder = await createTemporaryFolder('blocks-')
  const store = await openIn(join(folder.path, 'blocks'))
  return {
    store,
    [Symbol.asyncDispose]: async () => {
      await store[Symbol.asyncDispose]()
      await folder[Symbol.asyncDispose]()
    }
  }
})

describe('pack block store', () => {
  const bytes = randomBytes(70_000)
  const cid = cidOf(RAW_CODEC, bytes)

  it('finds its blocks after it was closed, and after it was not', async () => {
    await using folder = await createTemporaryFolder()
    const some = [...blocks(50, 20_000), ...blocks(200, 300)]
    const lost = await openIn(folder.path)
    await lost.putMany(some.slice(0, 100))
    {
      await using store = await openIn(folder.path)
      await assertHas(store, some.slice(0, 100))
      await store.putMany(some.slice(100))
    }
    await using store = await openIn(folder.path)
    await assertHas(store, some)
    assert.deepEqual(await listed(store), some.map((block) => block.cid.toString()).sort())
    await onlyPack(folder.path)
    await lost[Symbol.asyncDispose]()
  })

  it('takes nothing more once it is closed, and opens no file again', async () => {
    await using folder = await createTemporaryFolder()
    let opened = 0
    const store = await openIn(
      folder.path,
      changedDisk(() => {
        opened++
        return {}
      })
    )
    await store.put(cid, bytes)
    const last = blockOf(randomBytes(1000))
    // What was asked for before is written still.
    const putting = store.put(last.cid, last.bytes)
    await store[Symbol.asyncDispose]()
    await putting
    const openedBefore = opened
    const late = blockOf(randomBytes(1000))
    await assert.rejects(store.put(late.cid, late.bytes), { code: 'ERR_CONTENT_CLOSED' })
    await assert.rejects(store.putMany([late]), { code: 'ERR_CONTENT_CLOSED' })
    await assert.rejects(store.put(cid, bytes), { code: 'ERR_CONTENT_CLOSED' })
    await assert.rejects(store.get(cid), { code: 'ERR_CONTENT_CLOSED' })
    await store[Symbol.asyncDispose]()
    assert.equal(opened, openedBefore)
    await using again = await openIn(folder.path)
    await assertHas(again, [{ cid, bytes }, last])
  })

  it('lets nobody else read: folders 0700, files 0600', async () => {
    await using folder = await createTemporaryFolder()
    {
      await using store = await openIn(join(folder.path, 'blocks'))
      await store.put(cid, bytes)
    }
    for (const name of await readdir(join(folder.path, 'blocks'), { recursive: true })) {
      const facts = await lstat(join(folder.path, 'blocks', name))
      assert.equal(facts.mode & 0o777, facts.isDirectory() ? 0o700 : 0o600, name)
    }
    assert.equal((await lstat(join(folder.path, 'blocks'))).mode & 0o777, 0o700)
  })

  for (const [name, damage] of [
    ['cut short', async (path: string) => await truncate(path, 100)],
    ['emptied', async (path: string) => await truncate(path, 0)],
    ['overwritten', async (path: string) => await writeFile(path, 'gone\n')],
    ['removed', async (path: string) => await rm(path)],
    ['flipped in one bit of the block', async (path: string) => await flip(path, 500)],
    ['flipped in one bit of its header', async (path: string) => await flip(path, 40)]
  ] as const) {
    it(`reports a block whose pack was ${name}, removes it, and takes it again`, async () => {
      await using folder = await createTemporaryFolder()
      {
        await using store = await openIn(folder.path)
        await store.put(cid, bytes)
        await damage(await onlyPack(folder.path))
        if (name !== 'removed') await assert.rejects(store.get(cid), { code: 'ERR_BLOCK_CORRUPT' })
      }
      await using store = await openIn(folder.path)
      const left = await store.get(cid).catch((thrown: unknown) => {
        assert.equal((thrown as { code: string }).code, 'ERR_BLOCK_CORRUPT')
      })
      assert.equal(left, undefined)
      assert.equal(await store.has(cid), false)
      await store.put(cid, bytes)
      await assertHas(store, [{ cid, bytes }])
    })

    it(`heals a block whose pack was ${name} when it is put again`, async () => {
      await using folder = await createTemporaryFolder()
      {
        await using store = await openIn(folder.path)
        await store.put(cid, bytes)
        await damage(await onlyPack(folder.path))
        if (name !== 'removed') await store.put(cid, bytes)
      }
      await using store = await openIn(folder.path)
      await store.put(cid, bytes)
      await assertHas(store, [{ cid, bytes }])
    })
  }

  it('finds every block but the one that was garbled, with and without the index file', async () => {
    for (const hasIndex of [true, false]) {
      await using folder = await createTemporaryFolder()
      const some = blocks(40, 30_000)
      {
        await using store = await openIn(folder.path)
        await store.putMany(some)
      }
      const pack = await onlyPack(folder.path)
      // In the header of one and in the middle of another.
      await flip(pack, 8 + 10 * 30_064 + 20)
      await flip(pack, 8 + 20 * 30_064 + 9_000)
      if (!hasIndex) await rm(pack.replace('.pack', '.idx'))
      await using store = await openIn(folder.path)
      const { blocks: intact, corrupt } = await store.verify({ signal })
      assert.equal(intact, 38)
      if (hasIndex) {
        const expected = [some[10], some[20]].map((block) => block?.cid.toString())
        assert.deepEqual(corrupt.map(String).sort(), expected.sort())
      }
      await assertHas(
        store,
        some.filter((_, index) => index !== 10 && index !== 20)
      )
      assert.equal(store.stat().blocks, 38)
    }
  })

  it('leaves out what a crash tore off the end, and writes on from there', async () => {
    await using folder = await createTemporaryFolder()
    const some = blocks(10, 30_000)
    const lost = await openIn(folder.path)
    await lost.putMany(some)
    const path = await onlyPack(folder.path)
    await truncate(path, 8 + 9 * 30_064 + 11_111)
    {
      await using store = await openIn(folder.path)
      await assertHas(store, some.slice(0, 9))
      assert.equal((await stat(path)).size, 8 + 9 * 30_064)
      await store.putMany(some)
    }
    await using store = await openIn(folder.path)
    await assertHas(store, some)
    assert.equal((await stat(path)).size, 8 + 10 * 30_064)
    await lost[Symbol.asyncDispose]()
  })

  it('does not believe an index file that is not whole', async () => {
    await using folder = await createTemporaryFolder()
    const some = blocks(10, 3000)
    {
      await using store = await openIn(folder.path)
      await store.putMany(some)
    }
    const path = (await onlyPack(folder.path)).replace('.pack', '.idx')
    const whole = await readFile(path)
    for (const bad of [
      whole.subarray(0, 100),
      Buffer.alloc(0),
      Buffer.alloc(whole.length),
      randomBytes(5000)
    ]) {
      await writeFile(path, bad)
      const store = await openIn(folder.path)
      await assertHas(store, some)
      await store[Symbol.asyncDispose]()
    }
  })

  it('says that the disk is full, loses nothing, and opens again', async () => {
    await using folder = await createTemporaryFolder()
    const second = randomBytes(70_000)
    {
      await using store = await openIn(folder.path, smallDisk(100_000))
      await store.put(cid, bytes, { durable: true })
      await assert.rejects(store.put(cidOf(RAW_CODEC, second), second), { code: 'ERR_DISK_FULL' })
      await assertHas(store, [{ cid, bytes }])
      assert.equal(await store.has(cidOf(RAW_CODEC, second)), false)
      assert.equal((await stat(await onlyPack(folder.path))).size, 8 + 64 + 70_000)
    }
    await using store = await openIn(folder.path)
    await assertHas(store, [{ cid, bytes }])
    await store.put(cidOf(RAW_CODEC, second), second)
  })

  it('opens on a full disk that has been used before', async () => {
    await using folder = await createTemporaryFolder()
    await (await openIn(folder.path))[Symbol.asyncDispose]()
    await using store = await openIn(folder.path, smallDisk(0))
    assert.equal(await store.has(cid), false)
  })

  it('promises nothing more once the disk failed to keep what it took', async () => {
    await using folder = await createTemporaryFolder()
    const files = changedDisk(() => ({
      flush: async () => await Promise.reject(Object.assign(new Error('i/o'), { code: 'EIO' }))
    }))
    const store = await openIn(folder.path, files)
    await store.put(cid, bytes, { durable: true })
    await assert.rejects(store.flush(), { code: 'ERR_STORE_IO' })
    await assert.rejects(store.flush(), { code: 'ERR_STORE_IO' })
    await assert.rejects(store.put(cidOf(RAW_CODEC, bytes.subarray(1)), bytes.subarray(1)), {
      code: 'ERR_STORE_IO'
    })
    await assert.rejects(async () => await store[Symbol.asyncDispose](), { code: 'ERR_STORE_IO' })
    await using again = await openIn(folder.path)
    await assertHas(again, [{ cid, bytes }])
  })

  it('refuses a folder in a layout it does not know', async () => {
    await using folder = await createTemporaryFolder()
    await writeFile(join(folder.path, 'LAYOUT'), 'elastos-blocks/3\n')
    await assert.rejects(openIn(folder.path), { code: 'ERR_STORE_VERSION' })
  })

  it('takes over a folder with a file for each block, and leaves no such file', async () => {
    await using folder = await createTemporaryFolder()
    const some = blocks(30, 2000)
    await writeFile(join(folder.path, 'LAYOUT'), 'elastos-blocks/1\n')
    await mkdir(join(folder.path, 'tmp'))
    for (const block of [...some, blockOf(randomBytes(7))]) {
      const key = blockKey(block.cid)
      const shard = join(folder.path, key.slice(-3, -1))
      await mkdir(shard, { recursive: true })
      // The last one is corrupt.
      await writeFile(join(shard, key), block.bytes.length === 7 ? 'corrupt' : block.bytes)
      await writeFile(join(shard, 'notes.txt'), 'not ours')
    }
    for (let open = 0; open < 2; open++) {
      await using store = await openIn(folder.path)
      await assertHas(store, some)
      assert.equal((await listed(store)).length, 30)
      assert.deepEqual((await readdir(folder.path)).sort(), ['LAYOUT', 'packs'])
    }
  })

  it('leaves a block of the older layout where it is while the disk cannot read it', async () => {
    await using folder = await createTemporaryFolder()
    const hidden = blockKey(cid)
    const shard = join(folder.path, hidden.slice(-3, -1))
    await mkdir(shard)
    await writeFile(join(folder.path, 'LAYOUT'), 'elastos-blocks/1\n')
    await writeFile(join(shard, hidden), bytes)
    const files = createFilePowers()
    {
      await using store = await openIn(folder.path, {
        ...files,
        readFile: async (path, bytesMax) => {
          if (path.endsWith(hidden)) throw Object.assign(new Error('too many open files'), { code: 'EMFILE' })
          return await files.readFile(path, bytesMax)
        }
      })
      assert.equal(await store.has(cid), false)
    }
    await using store = await openIn(folder.path)
    assert.equal(await store.has(cid), true)
  })

  it('forces durable blocks to the disk at a flush, cached ones never, and one flush serves many', async () => {
    await using folder = await createTemporaryFolder()
    let flushes = 0
    const files = changedDisk((file) => ({
      flush: async () => {
        flushes++
        await file.flush()
      }
    }))
    await using store = await openIn(folder.path, files)
    await store.put(cid, bytes)
    await store.flush()
    assert.equal(flushes, 0)
    // It is there already, and now it must be on the disk.
    await store.put(cid, bytes, { durable: true })
    await store.flush()
    assert.equal(flushes, 1)
    await store.put(cid, bytes, { durable: true })
    await store.flush()
    assert.equal(flushes, 1)
    await store.putMany(blocks(100, 1000), { durable: true })
    assert.equal(flushes, 2)
    await Promise.all(
      blocks(100, 1000).map(async (block) => {
        await store.put(block.cid, block.bytes, { durable: true })
        await store.flush()
      })
    )
    assert.ok(flushes < 10, `${String(flushes)} flushes`)
  })

  it('lets others have their turn while it verifies many small blocks', async () => {
    await using folder = await createTemporaryFolder()
    await using store = await openIn(folder.path)
    await store.putMany(blocks(20_000, 100))
    let turns = 0
    let isOver = false
    const takeTurn = (): void => {
      turns++
      if (!isOver) setImmediate(takeTurn)
    }
    setImmediate(takeTurn)
    await store.verify({ signal })
    isOver = true
    assert.ok(turns >= 12, `${turns} turns`)
  })

  it('reads blocks that lie together at once', async () => {
    await using folder = await createTemporaryFolder()
    let reads = 0
    const files = changedDisk((file) => ({
      readAt: async (target, position) => {
        reads++
        return await file.readAt(target, position)
      }
    }))
    await using store = await openIn(folder.path, files)
    const some = blocks(1000, 1000)
    await store.putMany(some)
    reads = 0
    const found = await Array.fromAsync(store.getMany(some.map((block) => block.cid)))
    assert.deepEqual(
      found.map((block) => Buffer.from(block.bytes ?? [])),
      some.map((block) => block.bytes)
    )
    assert.equal(reads, 1)
  })
})
