import assert from 'node:assert/strict'
import { silentLogger } from '#contracts'
import { createMemoryAuthorityStore } from '../../../../capsule-host/authority/memory-store.ts'
import { createVaultAnchors } from '../../../../capsule-host/vault/anchor.ts'
import { openVault, type Vault, type VaultRoot } from '../../../../capsule-host/vault/vault.ts'
import { createSeededRandom } from '../../../support/seeded-random.ts'
import { MemoryDisk } from '../../../support/vault-disk.ts'
import { LINEAGE, readFile, SECRET, writeFile } from '../../../support/vaults.ts'
import { createVirtualClock, type VirtualClock } from '../../../support/virtual-clock.ts'

const QUOTA = { quotaBytes: 1024 * 1024 }
const OLDER = { code: 'ERR_FILE_CORRUPT', message: /as it was left: it is older/ }

describe('a vault file that was put back', () => {
  let disk: MemoryDisk
  let clock: VirtualClock
  let store: ReturnType<typeof createMemoryAuthorityStore>
  let seed = 0

  beforeEach(() => {
    disk = new MemoryDisk()
    clock = createVirtualClock()
    store = createMemoryAuthorityStore()
  })

  const open = (acceptsOlder = false): Vault =>
    openVault(
      {
        ...{ disk, clock, random: createSeededRandom(++seed), logger: silentLogger },
        anchors: createVaultAnchors(store)
      },
      { folder: '/vault', secret: SECRET, acceptsOlder }
    )
  const use = async <T>(act: (root: VaultRoot) => Promise<T>, acceptsOlder = false): Promise<T> => {
    await using root = await open(acceptsOlder).root(LINEAGE, QUOTA)
    return await act(root)
  }
  const write = async (text: string): Promise<void> =>
    await use(async (root) => await writeFile(root, 'a', text))
  const read = async (acceptsOlder = false): Promise<string> =>
    await use(async (root) => Buffer.from(await readFile(root, 'a')).toString(), acceptsOlder)
  const onlyFile = (): { content: Uint8Array } => {
    const [file] = disk.files.values()
    assert.ok(file !== undefined)
    return file
  }

  it('is refused as a whole, until its owner accepts it', async () => {
    await write('first')
    const older = onlyFile().content.slice()
    await write('second')
    onlyFile().content = older
    await assert.rejects(read(), OLDER)
    assert.equal(await read(true), 'first')
    // It is the one to go on with.
    assert.equal(await read(), 'first')
    await write('third')
    assert.equal(await read(), 'third')
  })

  it('is refused when it is the one before by a single change', async () => {
    await write('first')
    const older = onlyFile().content.slice()
    await use(async (root) => await root.setTimes('a', { modifiedNs: 1n }))
    onlyFile().content = older
    await assert.rejects(read(), OLDER)
  })

  it('is missed, and can still be removed for good', async () => {
    await write('first')
    disk.files.clear()
    await assert.rejects(read(), { code: 'ERR_FILE_CORRUPT', message: /it is gone/ })
    const vault = open()
    assert.equal(await vault.has(LINEAGE), true)
    await vault.remove(LINEAGE)
    assert.equal(await vault.has(LINEAGE), false)
    await write('anew')
    assert.equal(await read(), 'anew')
  })

  it('is refused when the lineage began anew meanwhile, however old its file had become', async () => {
    for (const text of ['a', 'b', 'c', 'd']) await write(text)
    const older = onlyFile().content.slice()
    await open().remove(LINEAGE)
    await write('anew')
    onlyFile().content = older
    await assert.rejects(read(), { code: 'ERR_FILE_CORRUPT', message: /it is another file/ })
  })

  it('is found by its newer head being blanked', async () => {
    await write('first')
    await write('second')
    const { content } = onlyFile()
    const said: string[] = []
    for (const slot of [0, 1]) {
      const older = content.slice()
      for (const unit of [slot, slot + 2]) older.fill(0, unit * 4096, (unit + 1) * 4096)
      onlyFile().content = older
      said.push(await read().catch((thrown: unknown) => (thrown as Error).message))
    }
    assert.equal(said.filter((one) => one === 'second').length, 1)
    assert.equal(said.filter((one) => OLDER.message.test(one)).length, 1)
  })

  it('is told from one whose newest changes a crash kept from being anchored', async () => {
    await write('first')
    const vault = open()
    const root = await vault.root(LINEAGE, QUOTA)
    await writeFile(root, 'a', 'second')
    await root.flush()
    const crashed = onlyFile().content.slice()
    // What is open goes on, but the crash is now: the anchor is behind the file, never before it.
    const anchors = store
    store = createMemoryAuthorityStore()
    for await (const [key, value] of anchors.entries({ from: 'vault/', to: 'vault/~' }))
      await store.write([{ type: 'put', key, value }])
    await root[Symbol.asyncDispose]()
    onlyFile().content = crashed
    assert.equal(await read(), 'second')
  })

  it('is found after a kill too, when a second went by since the change', async () => {
    await write('first')
    const older = onlyFile().content.slice()
    const root = await open().root(LINEAGE, QUOTA)
    await writeFile(root, 'a', 'second')
    await root.flush()
    await clock.advance(1_000)
    // Killed: nothing is closed.
    onlyFile().content = older
    await assert.rejects(read(), OLDER)
  })

  it('costs nothing that is done: a store that is full only leaves the anchor behind', async () => {
    const anchors = createVaultAnchors({
      get: async (key) => await store.get(key),
      write: async () => await Promise.reject(new Error('no space left'))
    })
    const random = createSeededRandom(++seed)
    const full = openVault(
      { disk, clock, random, logger: silentLogger, anchors },
      { folder: '/vault', secret: SECRET }
    )
    const root = await full.root(LINEAGE, QUOTA)
    await writeFile(root, 'a', 'kept')
    await root[Symbol.asyncDispose]()
    assert.equal(await read(), 'kept')
  })
})
