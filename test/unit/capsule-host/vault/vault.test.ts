import assert from 'node:assert/strict'
import { createVaultKey } from '../../../../capsule-host/vault/keys.ts'
import type { VaultRoot } from '../../../../capsule-host/vault/vault.ts'
import { diskAfterCrash, MemoryDisk } from '../../../support/vault-disk.ts'
import {
  LINEAGE,
  readFile,
  readTree,
  SECRET,
  testRoot,
  testVault,
  writeFile
} from '../../../support/vaults.ts'
import { createVirtualClock } from '../../../support/virtual-clock.ts'

const MIB = 1024 * 1024

async function text(root: VaultRoot, path: string): Promise<string> {
  return Buffer.from(await readFile(root, path)).toString()
}

/** The same disk as another node would find it now: everything written is on it. */
function copyOf(disk: MemoryDisk): MemoryDisk {
  return diskAfterCrash(disk.steps, disk.steps.length, () => true)
}

describe('vault', () => {
  it('keeps files and folders between openings', async () => {
    const disk = new MemoryDisk()
    const root = await testRoot(disk)
    await root.makeFolder('notes')
    await writeFile(root, 'notes/a.txt', 'hello')
    await writeFile(root, 'empty', '')
    await root[Symbol.asyncDispose]()

    const again = await testRoot(disk)
    assert.deepEqual(
      await readTree(again),
      new Map([
        ['empty', ''],
        ['notes', null],
        ['notes/a.txt', 'hello']
      ])
    )
    await again[Symbol.asyncDispose]()
  })

  it('shows nothing on the disk: neither lineages nor names nor contents', async () => {
    const disk = new MemoryDisk()
    const root = await testRoot(disk)
    await root.makeFolder('a-telling-folder')
    await writeFile(root, 'a-telling-folder/a-telling-name', 'a telling sentence, '.repeat(10_000))
    await root.snapshot()
    await root[Symbol.asyncDispose]()
    const all = [...disk.files]
      .map(([path, file]) => path + Buffer.from(file.content).toString('latin1'))
      .join()
    for (const secret of ['telling', 'notes', LINEAGE, 'did:key', Buffer.from(SECRET).toString('latin1')]) {
      assert.equal(all.includes(secret), false, secret)
    }
    assert.match([...disk.files.keys()].join(), /^\/vault\/[0-9a-f]{40}$/)
  })

  it('keeps lineages and devices apart', async () => {
    const disk = new MemoryDisk()
    const vault = testVault(disk)
    const root = await vault.root(LINEAGE, { quotaBytes: MIB })
    await writeFile(root, 'mine', 'hello')
    const other = await vault.root('did:key:z6MkOther/notes', { quotaBytes: MIB })
    assert.deepEqual(await other.list(''), [])
    await vault[Symbol.asyncDispose]()
    const elsewhere = testVault(disk, { secret: new Uint8Array(32).fill(8) })
    assert.equal(await elsewhere.has(LINEAGE), false)
    assert.equal(await testVault(disk).has(LINEAGE), true)
  })

  it("refuses a lineage's file that was put in the place of another's", async () => {
    const disk = new MemoryDisk()
    const root = await testRoot(disk)
    await writeFile(root, 'mine', 'hello')
    await root[Symbol.asyncDispose]()
    const key = createVaultKey(SECRET)
    const file = disk.files.get(`/vault/${key.fileName(LINEAGE)}`)!
    disk.files.set(`/vault/${key.fileName('thief')}`, file)
    await assert.rejects(testVault(disk).root('thief', { quotaBytes: MIB }), { code: 'ERR_FILE_CORRUPT' })
  })

  it('replaces a file as a whole when it is closed, and not before', async () => {
    const disk = new MemoryDisk()
    const root = await testRoot(disk)
    await writeFile(root, 'a', 'x'.repeat(100_000))
    await root.flush()
    const handle = await root.open('a', { isTruncating: true, isWriting: true })
    // More than is kept in memory, so that some of it is on the disk already.
    for (let at = 0; at < 3 * MIB; at += MIB) await handle.write(at, new Uint8Array(MIB).fill(1))
    await writeFile(root, 'other', 'durable')
    await root.flush()
    const early = await testRoot(copyOf(disk))
    assert.equal(await text(early, 'a'), 'x'.repeat(100_000))
    assert.equal(await text(early, 'other'), 'durable')
    await handle.close()
    await root.flush()
    const late = await testRoot(copyOf(disk))
    assert.equal((await late.stat('a')).bytes, 3 * MIB)
  })

  it('does not write over what a half written file will replace, whatever becomes durable meanwhile', async () => {
    const disk = new MemoryDisk()
    const root = await testRoot(disk)
    const old = Buffer.alloc(2 * MIB, 'old ')
    await writeFile(root, 'a', old)
    await root.flush()
    const handle = await root.open('a', { isWriting: true })
    await handle.write(0, new Uint8Array(2 * MIB).fill(2))
    for (const name of ['b', 'c', 'd']) {
      await writeFile(root, name, new Uint8Array(MIB).fill(3))
      await root.flush()
    }
    const found = await testRoot(copyOf(disk))
    assert.equal(Buffer.compare(await readFile(found, 'a'), old), 0)
    await handle.close()
    await root[Symbol.asyncDispose]()
    const after = await testRoot(disk)
    assert.equal(
      (await readFile(after, 'a')).every((byte) => byte === 2),
      true
    )
    await after[Symbol.asyncDispose]()
  })

  it('makes what was closed durable a moment later, unasked', async () => {
    const disk = new MemoryDisk()
    const clock = createVirtualClock()
    const root = await testVault(disk, { clock }).root(LINEAGE, { quotaBytes: MIB })
    await writeFile(root, 'a', 'hello')
    await clock.advance(1000)
    assert.equal(await text(await testRoot(copyOf(disk)), 'a'), 'hello')
    await root[Symbol.asyncDispose]()
    assert.equal(clock.pendingCount(), 0)
  })

  it('keeps a removed file readable for those who have it open, and its room is free when they close it', async () => {
    const root = await testRoot(new MemoryDisk(), MIB)
    await writeFile(root, 'a', new Uint8Array(MIB).fill(1))
    const handle = await root.open('a', {})
    await root.remove('a')
    assert.deepEqual(await root.list(''), [])
    assert.equal((await handle.read(MIB - 3, 10)).byteLength, 3)
    await assert.rejects(writeFile(root, 'b', 'x'), { code: 'ERR_FILE_QUOTA' })
    await handle.close()
    await writeFile(root, 'b', new Uint8Array(MIB).fill(2))
    await root[Symbol.asyncDispose]()
  })

  it('refuses more bytes and more entries than the quota, and says what is used', async () => {
    const root = await testVault(new MemoryDisk()).root(LINEAGE, { quotaBytes: 1000, entriesMax: 2 })
    await writeFile(root, 'a', 'x'.repeat(900))
    await assert.rejects(writeFile(root, 'b', 'x'.repeat(101)), { code: 'ERR_FILE_QUOTA' })
    await assert.rejects(root.makeFolder('c'), { code: 'ERR_FILE_QUOTA' })
    const handle = await root.open('a', { isWriting: true })
    await assert.rejects(handle.truncate(2 ** 39), { code: 'ERR_FILE_QUOTA' })
    await assert.rejects(handle.truncate(2 ** 41), { code: 'ERR_FILE_TOO_LARGE' })
    await handle.close()
    const { bytes, entries, quotaBytes, entriesMax } = await root.usage()
    assert.deepEqual(
      { bytes, entries, quotaBytes, entriesMax },
      { bytes: 900, entries: 2, quotaBytes: 1000, entriesMax: 2 }
    )
    await root[Symbol.asyncDispose]()
  })

  it('holds the lowest quota of those who use a root at once', async () => {
    const vault = testVault(new MemoryDisk())
    const capsule = await vault.root(LINEAGE, { quotaBytes: 1000 })
    const glance = await vault.root(LINEAGE, { quotaBytes: MIB })
    await assert.rejects(writeFile(capsule, 'a', 'x'.repeat(1001)), { code: 'ERR_FILE_QUOTA' })
    await glance[Symbol.asyncDispose]()
    await assert.rejects(writeFile(capsule, 'a', 'x'.repeat(1001)), { code: 'ERR_FILE_QUOTA' })
    await vault[Symbol.asyncDispose]()
  })

  it('replaces in one step what fits instead of the old content, and leaves that when it does not', async () => {
    const root = await testVault(new MemoryDisk()).root(LINEAGE, { quotaBytes: 1000, entriesMax: 1 })
    await root.replace('a', new Uint8Array(900).fill(1))
    const reader = await root.open('a', {})
    await root.replace('a', new Uint8Array(950).fill(2))
    await assert.rejects(root.replace('a', new Uint8Array(1001)), { code: 'ERR_FILE_QUOTA' })
    await assert.rejects(root.replace('b', new Uint8Array(1)), { code: 'ERR_FILE_QUOTA' })
    assert.equal(
      (await readFile(root, 'a')).every((byte) => byte === 2),
      true
    )
    // Who had it open reads on what was there.
    assert.equal(
      (await reader.read(0, 900)).every((byte) => byte === 1),
      true
    )
    await reader.close()
    await root.replace('a', new Uint8Array(0))
    const { bytes, entries } = await root.usage()
    assert.deepEqual({ bytes, entries }, { bytes: 0, entries: 1 })
    await root[Symbol.asyncDispose]()
  })

  it('refuses paths that lead out, and names that are none', async () => {
    const root = await testRoot(new MemoryDisk())
    for (const path of ['..', '../a', 'a/../b', '/a', 'a//b', './a', 'a/', 'a\0b']) {
      await assert.rejects(
        root.open(path, { isCreating: true, isWriting: true }),
        { code: 'ERR_FILE_PATH' },
        path
      )
    }
    await assert.rejects(root.makeFolder('x'.repeat(256)), { code: 'ERR_FILE_NAME_TOO_LONG' })
    await root[Symbol.asyncDispose]()
  })

  it('reads holes as zeros and keeps none of their bytes', async () => {
    const root = await testRoot(new MemoryDisk(), 1024 * MIB)
    const handle = await root.open('sparse', { isCreating: true, isWriting: true })
    await handle.write(900 * MIB, Buffer.from('end'))
    await handle.sync()
    assert.equal(
      (await handle.read(500 * MIB, 10)).every((byte) => byte === 0),
      true
    )
    assert.equal(Buffer.from(await handle.read(900 * MIB, 10)).toString(), 'end')
    assert.ok((await root.usage()).diskBytes < MIB)
    await handle.close()
    await root[Symbol.asyncDispose]()
  })

  it('gives the disk back what is no longer used', async () => {
    const disk = new MemoryDisk()
    const root = await testRoot(disk)
    await writeFile(root, 'big', new Uint8Array(8 * MIB).fill(1))
    await root.flush()
    await root.remove('big')
    await root.flush()
    await writeFile(root, 'small', 'x')
    await root.flush()
    assert.ok((await root.usage()).diskBytes < MIB)
    assert.equal(disk.bytes, (await root.usage()).diskBytes)
    await root[Symbol.asyncDispose]()
    assert.equal(await text(await testRoot(disk), 'small'), 'x')
  })

  it('shares the files of one lineage among those who use it at once, and closes for each only its own handles', async () => {
    const vault = testVault(new MemoryDisk())
    const [one, two] = await Promise.all([
      vault.root(LINEAGE, { quotaBytes: MIB }),
      vault.root(LINEAGE, { quotaBytes: MIB })
    ])
    await writeFile(one, 'a', 'from one')
    assert.equal(await text(two, 'a'), 'from one')
    const handle = await two.open('a', { isWriting: true })
    await one[Symbol.asyncDispose]()
    await assert.rejects(one.list(''), { code: 'ERR_FILE_INVALID' })
    await handle.write(0, Buffer.from('FROM'))
    await handle.close()
    assert.equal(await text(two, 'a'), 'FROM one')
    await assert.rejects(vault.remove(LINEAGE), { code: 'ERR_FILE_BUSY' })
    await two[Symbol.asyncDispose]()
    await vault.remove(LINEAGE)
    assert.equal(await vault.has(LINEAGE), false)
    const fresh = await vault.root(LINEAGE, { quotaBytes: MIB })
    assert.deepEqual(await fresh.list(''), [])
    await vault[Symbol.asyncDispose]()
  })

  it('can be let go of and asked for again at the same time', async () => {
    const vault = testVault(new MemoryDisk())
    const first = await vault.root(LINEAGE, { quotaBytes: MIB })
    await writeFile(first, 'a', 'kept')
    const leaving = first[Symbol.asyncDispose]()
    const second = await vault.root(LINEAGE, { quotaBytes: MIB })
    assert.equal(await text(second, 'a'), 'kept')
    await leaving
    await vault[Symbol.asyncDispose]()
  })

  it('refuses what a handle was not opened for', async () => {
    const root = await testRoot(new MemoryDisk())
    await writeFile(root, 'a', 'x')
    const handle = await root.open('a', {})
    await assert.rejects(handle.write(0, Buffer.from('y')), { code: 'ERR_FILE_DENIED' })
    await assert.rejects(handle.truncate(0), { code: 'ERR_FILE_DENIED' })
    await assert.rejects(handle.read(-1, 1), { code: 'ERR_FILE_INVALID' })
    await handle.close()
    await assert.rejects(handle.read(0, 1), { code: 'ERR_FILE_INVALID' })
    await root[Symbol.asyncDispose]()
  })

  it('holds folders of ten thousand files, in the order of their names', async function () {
    this.timeout(120_000)
    const disk = new MemoryDisk()
    const root = await testRoot(disk)
    await root.makeFolder('d')
    for (let at = 0; at < 10_000; at++) {
      const handle = await root.open(`d/${at}`, { isCreating: true, isWriting: true })
      await handle.close()
    }
    for (let at = 0; at < 10_000; at += 2) await root.remove(`d/${at}`)
    await root[Symbol.asyncDispose]()
    const again = await testRoot(disk)
    const names = (await again.list('d')).map(({ name }) => name)
    assert.equal(names.length, 5000)
    assert.deepEqual(names, [...names].sort())
    assert.equal((await again.usage()).entries, 5001)
    await again[Symbol.asyncDispose]()
  })
})

describe('vault snapshots', () => {
  it('go back to everything as it was, more than once', async () => {
    const disk = new MemoryDisk()
    const root = await testRoot(disk)
    await root.makeFolder('d')
    await writeFile(root, 'd/a', 'one')
    const before = await readTree(root)
    const id = await root.snapshot()
    for (const round of ['two', 'three']) {
      await writeFile(root, 'd/a', round)
      await writeFile(root, 'new', round)
      await root.restore(id)
      assert.deepEqual(await readTree(root), before)
    }
    await root[Symbol.asyncDispose]()
    const again = await testRoot(disk)
    assert.deepEqual(await readTree(again), before)
    assert.deepEqual(
      (await again.snapshots()).map((snapshot) => snapshot.id),
      [id]
    )
    await again.restore(id)
    await again.dropSnapshot(id)
    await assert.rejects(again.restore(id), { code: 'ERR_FILE_NOT_FOUND' })
    await again[Symbol.asyncDispose]()
  })

  it('copy nothing, and take in what is written to open files', async () => {
    const root = await testRoot(new MemoryDisk())
    await writeFile(root, 'big', new Uint8Array(8 * MIB).fill(1))
    const handle = await root.open('open', { isCreating: true, isWriting: true })
    await handle.write(0, Buffer.from('half'))
    await root.flush()
    const { diskBytes } = await root.usage()
    const id = await root.snapshot()
    assert.ok((await root.usage()).diskBytes - diskBytes < MIB / 4)
    await handle.write(4, Buffer.from(' done'))
    await assert.rejects(root.restore(id), { code: 'ERR_FILE_BUSY' })
    await handle.close()
    await root.restore(id)
    assert.equal(await text(root, 'open'), 'half')
    await root[Symbol.asyncDispose]()
  })

  it('are bounded, and give their room back', async () => {
    const root = await testRoot(new MemoryDisk())
    for (let at = 0; at < 16; at++) {
      await writeFile(root, 'big', new Uint8Array(MIB).fill(at))
      await root.snapshot()
    }
    await assert.rejects(root.snapshot(), { code: 'ERR_FILE_QUOTA' })
    assert.ok((await root.usage()).diskBytes > 16 * MIB)
    for (const { id } of await root.snapshots()) await root.dropSnapshot(id)
    const { diskBytes } = await root.usage()
    for (const name of ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h']) {
      await writeFile(root, name, new Uint8Array(MIB).fill(9))
    }
    await root.flush()
    assert.equal((await root.usage()).diskBytes, diskBytes)
    await root[Symbol.asyncDispose]()
  })
})
