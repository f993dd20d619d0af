import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { rm, stat } from 'node:fs/promises'
import type { CID } from 'multiformats/cid'
import { createTemporaryFolder } from '../../support/temporary-folder.ts'
import {
  assertHas,
  blockOf,
  blocks,
  changedDisk,
  keeping,
  listed,
  noSpace,
  openIn,
  packsIn,
  signal,
  smallDisk
} from './pack-store.ts'
import type { BlockToPut } from '../../../content/block-store.ts'
import type { FilePowers } from '../../../content/files.ts'

/** A disk on which something else is done before its next read. */
function interruptedDisk(): { files: FilePowers; beforeNextRead(task: () => Promise<unknown>): void } {
  let next: (() => Promise<unknown>) | undefined
  const files = changedDisk((file) => ({
    readAt: async (target, position) => {
      const task = next
      next = undefined
      await task?.()
      return await file.readAt(target, position)
    }
  }))
  return { files, beforeNextRead: (task) => (next = task) }
}

describe('collection of packs', () => {
  it('gives the disk back: dead packs, dead ends, and the dead between the living', async () => {
    await using folder = await createTemporaryFolder()
    const some = blocks(30, 100_000)
    const bytesOnDisk = async (): Promise<number> => {
      const sizes = await Promise.all(
        (await packsIn(folder.path)).map(async (path) => (await stat(path)).size)
      )
      return sizes.reduce((sum, size) => sum + size, 0)
    }
    {
      await using store = await openIn(folder.path)
      await store.putMany(some)
      const every = await store.sweep(keeping(some))
      assert.deepEqual(every, { blocksKept: 30, blocksRemoved: 0, bytesFreed: 0 })
      // The last five: cut off.
      const first = await store.sweep(keeping(some.slice(0, 25)))
      assert.deepEqual(first, { blocksKept: 25, blocksRemoved: 5, bytesFreed: 5 * 100_064 })
      assert.equal(await bytesOnDisk(), 8 + 25 * 100_064)
      // Every other one: moved.
      const odd = some.slice(0, 25).filter((_, index) => index % 2 === 0)
      const second = await store.sweep(keeping(odd))
      assert.deepEqual([second.blocksKept, second.blocksRemoved], [13, 12])
      assert.equal(await bytesOnDisk(), 8 + 13 * 100_064)
      await assertHas(store, odd)
    }
    {
      await using store = await openIn(folder.path)
      assert.equal(store.stat().blocks, 13)
      assert.deepEqual((await store.verify({ signal })).corrupt, [])
      await store.sweep(keeping([]))
    }
    assert.equal(await bytesOnDisk(), 0)
    await using store = await openIn(folder.path)
    assert.deepEqual(await listed(store), [])
  })

  it('what it removed stays removed, although its pack stays', async () => {
    await using folder = await createTemporaryFolder()
    const some = blocks(20, 10_000)
    {
      await using store = await openIn(folder.path)
      await store.putMany(some)
      await store.sweep(keeping(some.filter((_, index) => index !== 3)))
      assert.equal(store.stat().packs, 1)
    }
    await using store = await openIn(folder.path)
    assert.equal(store.stat().blocks, 19)
  })

  it('frees the end of a pack on a disk that is full', async () => {
    await using folder = await createTemporaryFolder()
    const some = blocks(10, 10_000)
    const files = {
      ...smallDisk(8 + 7 * 10_064 + 5_000),
      writeNewFile: async () => await Promise.reject(noSpace())
    }
    await (await openIn(folder.path))[Symbol.asyncDispose]()
    await using store = await openIn(folder.path, files)
    for (const block of some.slice(0, 7)) await store.put(block.cid, block.bytes)
    await assert.rejects(store.putMany(some.slice(7)), { code: 'ERR_DISK_FULL' })
    const { bytesFreed } = await store.sweep(keeping(some.slice(0, 1)))
    assert.equal(bytesFreed, 6 * 10_064)
    await assertHas(store, some.slice(0, 1))
  })

  it('when there is no room to move what lives, it says so and loses nothing', async () => {
    await using folder = await createTemporaryFolder()
    const some = blocks(10, 10_000)
    const kept = some.slice(6)
    {
      await using store = await openIn(folder.path)
      await store.putMany(some)
    }
    {
      await using store = await openIn(folder.path, smallDisk(15_000))
      await assert.rejects(store.sweep(keeping(kept)), { code: 'ERR_DISK_FULL' })
      await assertHas(store, kept)
    }
    await using store = await openIn(folder.path)
    await assertHas(store, kept)
    await store.sweep(keeping(kept))
    // One had been moved before the room ended.
    assert.equal(store.stat().bytesOnDisk, 2 * 8 + 4 * 10_064)
  })

  it('spares what is read and put meanwhile: every read of a kept block is answered', async () => {
    await using folder = await createTemporaryFolder()
    await using store = await openIn(folder.path)
    const kept = blocks(40, 20_000)
    const added: BlockToPut[] = []
    for (let round = 0; round < 6; round++) {
      const dead = blocks(40, 20_000)
      for (let index = 0; index < 40; index++) {
        for (const { cid, bytes } of [kept[index], dead[index]] as BlockToPut[]) await store.put(cid, bytes)
      }
      const asked = kept.map(({ cid }) => cid)
      let isOver = false
      const reading = (async () => {
        while (!isOver) {
          for await (const { bytes } of store.getMany(asked)) assert.equal(bytes?.length, 20_000)
          await assertHas(store, kept)
        }
      })()
      const putting = (async () => {
        using _hold = store.hold()
        while (!isOver) {
          const block = blockOf(randomBytes(5000))
          await store.put(block.cid, block.bytes, { durable: true })
          added.push(block)
        }
        await store.flush()
        await assertHas(store, added.slice(-50))
      })()
      const { blocksRemoved } = await store.sweep(keeping([...kept, ...added]))
      assert.ok(blocksRemoved >= 40, `${blocksRemoved} removed`)
      isOver = true
      await Promise.all([reading, putting])
    }
    await assertHas(store, kept)
  })

  it('leaves nothing to be forced to the disk of a pack that it removes', async () => {
    await using folder = await createTemporaryFolder()
    const [gone, kept] = blocks(2, 1000) as [BlockToPut, BlockToPut]
    {
      await using store = await openIn(folder.path)
      for (const block of [gone, kept]) {
        await store.putMany([block])
        await store.sweep(keeping([gone, kept]))
      }
    }
    // Without them it is not known what of the packs is on the disk.
    for (const path of await packsIn(folder.path)) await rm(path.replace(/pack$/, 'idx'))
    await using store = await openIn(folder.path)
    await store.makeDurable(gone.cid)
    await store.delete(gone.cid)
    await store.sweep(keeping([kept]))
    await store.flush()
    await store.putMany(blocks(1, 1000), { durable: true })
    await assertHas(store, [kept])
  })

  it('does not fail a list or a verification that runs beside it', async () => {
    for (const way of ['list', 'verify'] as const) {
      await using folder = await createTemporaryFolder()
      const [first, second] = [blocks(2, 1000), blocks(2, 1000)]
      const { files, beforeNextRead } = interruptedDisk()
      await using store = await openIn(folder.path, files)
      for (const some of [first, second]) {
        await store.putMany(some)
        await store.sweep(keeping([...first, ...second]))
      }
      assert.equal(store.stat().packs, 2)
      const dropSecond = async (): Promise<unknown> => await store.sweep(keeping(first))
      if (way === 'verify') {
        beforeNextRead(dropSecond)
        assert.deepEqual(await store.verify({ signal }), { blocks: 2, bytes: 2000, corrupt: [] })
      } else {
        const names: string[] = []
        for await (const cid of store.list()) {
          if (names.length === 0) await dropSecond()
          names.push(cid.toString())
        }
        assert.deepEqual(names.sort(), first.map(({ cid }) => cid.toString()).sort())
      }
      assert.equal(store.stat().packs, 1)
    }
  })

  it('does not call a block corrupt that it cuts off while it is read', async () => {
    await using folder = await createTemporaryFolder()
    const some = blocks(8, 1000)
    const { files, beforeNextRead } = interruptedDisk()
    await using store = await openIn(folder.path, files)
    await store.putMany(some)
    const cids = some.map(({ cid }) => cid)
    beforeNextRead(async () => await store.sweep(keeping(some.slice(0, 7))))
    assert.equal(await store.get(cids[7] as CID), undefined)
    beforeNextRead(async () => await store.sweep(keeping(some.slice(0, 6))))
    const found = await Array.fromAsync(store.getMany(cids))
    assert.deepEqual(
      found.map(({ bytes }) => bytes?.length),
      [1000, 1000, 1000, 1000, 1000, 1000, undefined, undefined]
    )
  })

  it('joins many small packs', async () => {
    await using folder = await createTemporaryFolder()
    await using store = await openIn(folder.path)
    const some = blocks(20, 1000)
    for (const { cid, bytes } of some) {
      await store.put(cid, bytes)
      await store.sweep(keeping(some))
    }
    assert.ok(store.stat().packs < 20, `${store.stat().packs} packs`)
    await assertHas(store, some)
  })

  it('runs once at a time, and ends when it is told to', async () => {
    await using folder = await createTemporaryFolder()
    await using store = await openIn(folder.path)
    const some = blocks(10, 1000)
    await store.putMany(some)
    const abort = new AbortController()
    const sweeping = store.sweep({
      isKept: async () => {
        await assert.rejects(store.sweep(keeping(some)), { code: 'ERR_CONTENT_BUSY' })
        abort.abort(new Error('enough'))
        return true
      },
      signal: abort.signal
    })
    await assert.rejects(sweeping, { message: 'enough' })
    await assertHas(store, some)
  })
})
