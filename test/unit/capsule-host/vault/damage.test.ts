import assert from 'node:assert/strict'
import { errorCode } from '#contracts'
import type { VaultRoot } from '../../../../capsule-host/vault/vault.ts'
import { createSeededRandom } from '../../../support/seeded-random.ts'
import { DiskFile, MemoryDisk } from '../../../support/vault-disk.ts'
import { readFile, testRoot, writeFile } from '../../../support/vaults.ts'

const UNIT_BYTES = 4096
const HEAD_BYTES = 4 * UNIT_BYTES
const RESERVE_BYTES = 64 * UNIT_BYTES

/** A small tree with every kind of block: pages, index pages, whole chunks and the ends of files. */
const CONTENTS: ReadonlyMap<string, Uint8Array> = new Map([
  ['a', Buffer.alloc(150_000, 'first ')],
  ['b', Buffer.alloc(70_000, 'second ')],
  ['d/c', Buffer.from('third')]
])

async function filledDisk(): Promise<{ disk: MemoryDisk; file: DiskFile }> {
  const disk = new MemoryDisk()
  const root = await testRoot(disk)
  await root.makeFolder('d')
  for (const [path, content] of CONTENTS) await writeFile(root, path, content)
  await root[Symbol.asyncDispose]()
  const [file] = disk.files.values()
  return { disk, file: file! }
}

function copyOf(content: Uint8Array): {
  disk: MemoryDisk
  file: DiskFile
  path: (path: string) => MemoryDisk
} {
  const disk = new MemoryDisk()
  const file = new DiskFile()
  file.content = content.slice()
  return {
    disk,
    file,
    path: (path) => {
      disk.files.set(path, file)
      return disk
    }
  }
}

/** Every file as it is found: its bytes, or the code it is refused with. */
async function findings(root: VaultRoot): Promise<Map<string, Uint8Array | string>> {
  const found = new Map<string, Uint8Array | string>()
  for (const path of CONTENTS.keys()) {
    try {
      found.set(path, await readFile(root, path))
    } catch (thrown) {
      found.set(path, errorCode(thrown) ?? String(thrown))
    }
  }
  return found
}

describe('a damaged vault', () => {
  it('never hands on a byte that was not written, whichever bit is flipped', async function () {
    this.timeout(120_000)
    const { disk, file } = await filledDisk()
    const [name] = disk.files.keys()
    const random = createSeededRandom(11)
    let refused = 0
    for (let round = 0; round < 400; round++) {
      const damaged = copyOf(file.content)
      // Half of the flips hit the heads and pages, which are small.
      const range = round % 2 === 0 ? file.content.length : HEAD_BYTES + 12 * UNIT_BYTES
      const bit = Math.floor(random.unit() * range * 8)
      damaged.file.content[bit >> 3]! ^= 1 << (bit & 7)
      let root: VaultRoot
      try {
        root = await testRoot(damaged.path(name!))
      } catch (thrown) {
        assert.equal(errorCode(thrown), 'ERR_FILE_CORRUPT')
        refused++
        continue
      }
      for (const [path, content] of await findings(root)) {
        if (typeof content === 'string') {
          assert.equal(content, 'ERR_FILE_CORRUPT', `bit ${bit}: ${path}`)
          refused++
        } else assert.equal(Buffer.compare(content, CONTENTS.get(path)!), 0, `bit ${bit}: ${path}`)
      }
      await Promise.allSettled([root[Symbol.asyncDispose]()])
    }
    assert.ok(refused > 20, `${refused} of 400 flips were refused`)
  })

  it('is mended by itself when one copy of its head is gone', async () => {
    const { disk, file } = await filledDisk()
    const [name] = disk.files.keys()
    for (const slot of [0, 1, 2, 3]) {
      const damaged = copyOf(file.content)
      damaged.file.content.fill(0xff, slot * UNIT_BYTES, (slot + 1) * UNIT_BYTES)
      const root = await testRoot(damaged.path(name!))
      assert.deepEqual(
        await findings(root),
        new Map([...CONTENTS].map(([path, content]) => [path, Uint8Array.from(content)]))
      )
      await writeFile(root, 'new', 'x')
      await root[Symbol.asyncDispose]()
    }
  })

  it('is refused as a whole when both copies of a head are bad, or all of it is gone', async () => {
    const { disk, file } = await filledDisk()
    const [name] = disk.files.keys()
    for (const slots of [
      [0, 2],
      [1, 3],
      [0, 1, 2, 3]
    ]) {
      const damaged = copyOf(file.content)
      for (const slot of slots) damaged.file.content.fill(0xff, slot * UNIT_BYTES, (slot + 1) * UNIT_BYTES)
      await assert.rejects(testRoot(damaged.path(name!)), { code: 'ERR_FILE_CORRUPT' })
    }
    for (const length of [0, 100, HEAD_BYTES - 1]) {
      const cut = copyOf(file.content.subarray(0, length))
      await assert.rejects(testRoot(cut.path(name!)), { code: 'ERR_FILE_CORRUPT' })
    }
  })

  it('can still be read where it is whole, and is not changed', async () => {
    const { disk, file } = await filledDisk()
    const [name] = disk.files.keys()
    // What was written last is cut off: the end of a file, or pages.
    const blocks = file.content.length - RESERVE_BYTES
    const cut = copyOf(file.content.subarray(0, blocks - UNIT_BYTES))
    const root = await testRoot(cut.path(name!))
    const before = cut.file.content.slice()
    await assert.rejects(writeFile(root, 'new', 'x'), { code: 'ERR_FILE_CORRUPT' })
    await assert.rejects(root.remove('a'), { code: 'ERR_FILE_CORRUPT' })
    await Promise.allSettled([root[Symbol.asyncDispose]()])
    assert.deepEqual(cut.file.content, before)
  })

  it('refuses chunks that were swapped, and older ones put back', async () => {
    const disk = new MemoryDisk()
    const root = await testRoot(disk)
    await writeFile(root, 'a', new Uint8Array(65_536).fill(1))
    await writeFile(root, 'b', new Uint8Array(65_536).fill(2))
    await root.flush()
    const [[name, file]] = [...disk.files] as [[string, DiskFile]]
    const old = file.content.slice()
    const chunk = 65_536
    const swapped = copyOf(old)
    const places = [1, 2].map((at) => at * chunk)
    swapped.file.content.set(old.subarray(places[0], places[0]! + chunk), places[1])
    swapped.file.content.set(old.subarray(places[1], places[1]! + chunk), places[0])
    const strange = await testRoot(swapped.path(name))
    await assert.rejects(readFile(strange, 'a'), { code: 'ERR_FILE_CORRUPT' })
    await assert.rejects(readFile(strange, 'b'), { code: 'ERR_FILE_CORRUPT' })

    // New contents, which come to lie where the old ones were after two more commits.
    for (const fill of [3, 4, 5]) {
      await writeFile(root, 'a', new Uint8Array(65_536).fill(fill))
      await writeFile(root, 'b', new Uint8Array(65_536).fill(fill))
      await root.flush()
    }
    await root[Symbol.asyncDispose]()
    const replayed = copyOf(file.content)
    replayed.file.content.set(old.subarray(chunk, 3 * chunk), chunk)
    const back = await testRoot(replayed.path(name))
    for (const path of ['a', 'b']) {
      const content = await readFile(back, path).catch((thrown: unknown) => errorCode(thrown))
      const isNew = content instanceof Uint8Array && content.every((byte) => byte === 5)
      assert.ok(isNew || content === 'ERR_FILE_CORRUPT', path)
    }
  })
})

describe('a vault whose disk fails', () => {
  it('stops when a sync fails, and holds the last durable state when it is opened again', async () => {
    const disk = new MemoryDisk()
    const root = await testRoot(disk)
    await writeFile(root, 'a', 'durable')
    await root.flush()
    disk.before = (step) => {
      if (step.kind === 'sync') throw Object.assign(new Error('gone'), { code: 'EIO' })
    }
    await writeFile(root, 'a', 'lost')
    await assert.rejects(root.flush(), { code: 'ERR_FILE_IO' })
    disk.before = () => undefined
    await assert.rejects(readFile(root, 'a'), { code: 'ERR_FILE_IO' })
    await assert.rejects(root.flush(), { code: 'ERR_FILE_IO' })
    await Promise.allSettled([root[Symbol.asyncDispose]()])
    const again = await testRoot(disk)
    assert.equal(Buffer.from(await readFile(again, 'a')).toString(), 'durable')
    await again[Symbol.asyncDispose]()
  })

  it('refuses what does not fit a full disk, keeps the old, and can be emptied', async function () {
    this.timeout(120_000)
    for (let room = 0; room <= 400_000; room += 9000) {
      const disk = new MemoryDisk()
      const root = await testRoot(disk, 1024 * 1024 * 1024)
      const old = new Uint8Array(100_000).fill(1)
      await writeFile(root, 'a', old)
      await root.flush()
      disk.bytesMax = disk.bytes + room
      const fresh = new Uint8Array(300_000).fill(2)
      const code = await writeFile(root, 'a', fresh).then(
        () => undefined,
        (thrown: unknown) => errorCode(thrown)
      )
      assert.ok(code === undefined || code === 'ERR_FILE_NO_SPACE', String(code))
      await root.flush()
      const found = await readFile(root, 'a')
      assert.equal(Buffer.compare(found, code === undefined ? fresh : old), 0, `${room} bytes of room`)
      // A full disk is no reason to keep what one wants to be rid of.
      await root.remove('a')
      await root.flush()
      await writeFile(root, 'b', old)
      await root[Symbol.asyncDispose]()
      const again = await testRoot(disk)
      assert.deepEqual(
        (await again.list('')).map(({ name }) => name),
        ['b']
      )
      assert.equal(Buffer.compare(await readFile(again, 'b'), old), 0)
      await again[Symbol.asyncDispose]()
    }
  })

  it('can be emptied file by file when the disk is full to the last byte', async () => {
    const disk = new MemoryDisk()
    const root = await testRoot(disk)
    for (let at = 0; at < 300; at++) await writeFile(root, `file-${at}`, 'x'.repeat(100))
    await root.flush()
    disk.bytesMax = disk.bytes
    for (let at = 0; at < 300; at++) {
      await root.remove(`file-${at}`)
      if (at % 10 === 0) await root.flush()
    }
    await root.flush()
    assert.deepEqual(await root.list(''), [])
    await root[Symbol.asyncDispose]()
  })
})
