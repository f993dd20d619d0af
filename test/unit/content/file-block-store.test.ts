import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { lstat, mkdir, readdir, readFile, truncate, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { silentLogger } from '#contracts'
import { blockKey, cidOf, RAW_CODEC } from '../../../content/cid.ts'
import { UNFLUSHED_BLOCKS_MAX } from '../../../content/constants.ts'
import { openFileBlockStore } from '../../../content/file-block-store.ts'
import { createFilePowers } from '../../../content/powers.ts'
import { describeBlockStore } from '../../contract/block-store.ts'
import { createTemporaryFolder } from '../../support/temporary-folder.ts'
import type { BlockStore } from '../../../content/block-store.ts'
import type { FilePowers } from '../../../content/files.ts'

async function openIn(folder: string, files: FilePowers = createFilePowers()): Promise<BlockStore> {
  return await openFileBlockStore({ files, folder, logger: silentLogger })
}

/** The path of the one block in a store's folder whose key is that of `bytes`. */
async function pathOf(folder: string, bytes: Uint8Array): Promise<string> {
  const key = blockKey(cidOf(RAW_CODEC, bytes))
  const found = (await readdir(folder, { recursive: true })).find((name) => name.endsWith(key))
  assert.ok(found !== undefined)
  return join(folder, found)
}

/** A disk that has room for `bytesLeft` more bytes. */
function smallDisk(bytesLeft: number): FilePowers {
  const files = createFilePowers()
  let left = bytesLeft
  return {
    ...files,
    writeNewFile: async (path, bytes, mode) => {
      const fits = Math.min(left, bytes.length)
      left -= fits
      await files.writeNewFile(path, bytes.subarray(0, fits), mode)
      if (fits < bytes.length) throw Object.assign(new Error('no space left'), { code: 'ENOSPC' })
    }
  }
}

describeBlockStore('files', async () => {
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

describe('file block store', () => {
  const bytes = randomBytes(70_000)
  const cid = cidOf(RAW_CODEC, bytes)

  it('finds its blocks after it was closed', async () => {
    await using folder = await createTemporaryFolder()
    {
      await using store = await openIn(folder.path)
      await store.put(cid, bytes, { durable: true })
    }
    await using store = await openIn(folder.path)
    assert.deepEqual(Buffer.from((await store.get(cid)) ?? []), bytes)
  })

  it('lets nobody else read: folders 0700, files 0600', async () => {
    await using folder = await createTemporaryFolder()
    await using store = await openIn(join(folder.path, 'blocks'))
    await store.put(cid, bytes)
    const path = await pathOf(join(folder.path, 'blocks'), bytes)
    assert.equal((await lstat(path)).mode & 0o777, 0o600)
    assert.equal((await lstat(dirname(path))).mode & 0o777, 0o700)
    assert.equal((await lstat(join(folder.path, 'blocks'))).mode & 0o777, 0o700)
  })

  for (const [name, damage] of [
    ['truncated', async (path: string) => await truncate(path, 100)],
    ['emptied', async (path: string) => await truncate(path, 0)],
    ['grown beyond any block', async (path: string) => await truncate(path, 3 * 1024 * 1024)],
    [
      'flipped in one bit',
      async (path: string) => {
        const content = await readFile(path)
        content[500] = (content[500] ?? 0) ^ 1
        await writeFile(path, content)
      }
    ]
  ] as const) {
    it(`reports a block that was ${name}, removes it, and takes it again`, async () => {
      await using folder = await createTemporaryFolder()
      await using store = await openIn(folder.path)
      await store.put(cid, bytes)
      await damage(await pathOf(folder.path, bytes))
      await assert.rejects(store.get(cid), { code: 'ERR_BLOCK_CORRUPT' })
      assert.equal(await store.has(cid), false)
      await store.put(cid, bytes)
      assert.deepEqual(Buffer.from((await store.get(cid)) ?? []), bytes)
    })

    it(`heals a block that was ${name} when it is put again`, async () => {
      await using folder = await createTemporaryFolder()
      await using store = await openIn(folder.path)
      await store.put(cid, bytes)
      await damage(await pathOf(folder.path, bytes))
      await store.put(cid, bytes)
      assert.deepEqual(Buffer.from((await store.get(cid)) ?? []), bytes)
    })
  }

  it('says that the disk is full, loses nothing, and opens again', async () => {
    await using folder = await createTemporaryFolder()
    const second = randomBytes(70_000)
    {
      await using store = await openIn(folder.path, smallDisk(100_000))
      await store.put(cid, bytes, { durable: true })
      await assert.rejects(store.put(cidOf(RAW_CODEC, second), second), { code: 'ERR_DISK_FULL' })
      assert.deepEqual(Buffer.from((await store.get(cid)) ?? []), bytes)
      assert.equal(await store.has(cidOf(RAW_CODEC, second)), false)
    }
    assert.deepEqual(await readdir(join(folder.path, 'tmp')), [])
    await using store = await openIn(folder.path)
    assert.deepEqual(Buffer.from((await store.get(cid)) ?? []), bytes)
    await store.put(cidOf(RAW_CODEC, second), second)
  })

  it('opens on a full disk that has been used before', async () => {
    await using folder = await createTemporaryFolder()
    await (await openIn(folder.path))[Symbol.asyncDispose]()
    await using store = await openIn(folder.path, smallDisk(0))
    assert.equal(await store.has(cid), false)
  })

  it('removes what an interrupted write left', async () => {
    await using folder = await createTemporaryFolder()
    await (await openIn(folder.path))[Symbol.asyncDispose]()
    await writeFile(join(folder.path, 'tmp', '17'), 'half a blo')
    await using store = await openIn(folder.path)
    assert.deepEqual(await readdir(join(folder.path, 'tmp')), [])
    await store.put(cid, bytes)
  })

  it('refuses a folder in a layout it does not know', async () => {
    await using folder = await createTemporaryFolder()
    await writeFile(join(folder.path, 'LAYOUT'), 'elastos-blocks/2\n')
    await assert.rejects(openIn(folder.path), { code: 'ERR_STORE_VERSION' })
  })

  it('ignores files that are not its own', async () => {
    await using folder = await createTemporaryFolder()
    await using store = await openIn(folder.path)
    await mkdir(join(folder.path, 'aa'))
    await writeFile(join(folder.path, 'aa', 'notes.txt'), 'hello')
    await store.put(cid, bytes)
    const listed: string[] = []
    for await (const found of store.list()) listed.push(found.toString())
    assert.deepEqual(listed, [cid.toString()])
  })

  it('forces durable blocks to the disk at a flush, and by itself when many wait', async () => {
    await using folder = await createTemporaryFolder()
    const flushed: string[] = []
    const files = createFilePowers()
    await using store = await openIn(folder.path, {
      ...files,
      flush: async (path) => {
        flushed.push(path)
        await files.flush(path)
      }
    })
    const put = async (text: string, durable: boolean): Promise<void> => {
      const block = new TextEncoder().encode(text)
      await store.put(cidOf(RAW_CODEC, block), block, { durable })
    }
    await put('cached', false)
    await store.flush()
    assert.equal(flushed.length, 0)
    await put('cached', true)
    await store.flush()
    assert.ok(flushed.includes(await pathOf(folder.path, new TextEncoder().encode('cached'))))
    flushed.length = 0
    for (let index = 0; index < UNFLUSHED_BLOCKS_MAX; index++) await put(`block ${index}`, true)
    assert.ok(flushed.length >= UNFLUSHED_BLOCKS_MAX)
  })
})
