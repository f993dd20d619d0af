import assert from 'node:assert/strict'
import type { VaultRoot } from '../../../../capsule-host/vault/vault.ts'
import { createSeededRandom } from '../../../support/seeded-random.ts'
import { MemoryDisk } from '../../../support/vault-disk.ts'
import { testRoot } from '../../../support/vaults.ts'

const QUOTA_BYTES = 512 * 1024
const CHUNK_BYTES = 64 * 1024

/** Does something hostile, and now and then has the room looked at that it takes on the disk. */
type Hostile = (root: VaultRoot, look: () => Promise<void>) => Promise<void>

const write = async (root: VaultRoot, path: string, bytes: number): Promise<void> =>
  await root.replace(path, new Uint8Array(bytes)).catch(() => undefined)
const remove = async (root: VaultRoot, path: string): Promise<void> =>
  await root.remove(path).catch(() => undefined)

const HOSTILE: Readonly<Record<string, Hostile>> = {
  'files of a byte with the longest names': async (root, look) => {
    for (let index = 0; index < 600; index++) await write(root, `${'n'.repeat(240)}${index}`, 1)
    await look()
  },
  'small files that leave no room for a chunk between them, over and over': async (root, look) => {
    for (let round = 0; round < 4; round++) {
      for (let index = 0; index < 500; index++) await write(root, `${round}-${index}`, 1)
      for (let index = 0; index < 500; index++) if (index % 16 > 0) await remove(root, `${round}-${index}`)
      await look()
      for (let index = 0; index < 7; index++) await write(root, `c${index}`, CHUNK_BYTES)
      await look()
      for (let index = 0; index < 7; index++) await remove(root, `c${index}`)
    }
  },
  'files that come, change and go at random': async (root, look) => {
    const random = createSeededRandom(5)
    for (let step = 0; step < 1_000; step++) {
      const path = `f${Math.floor(random.unit() * 40)}`
      if (random.unit() < 0.3) await remove(root, path)
      else await write(root, path, Math.ceil(random.unit() ** 3 * 2 * CHUNK_BYTES))
      if (step % 20 === 0) await look()
    }
  }
}

describe('what a vault takes on the disk', function () {
  this.timeout(60_000)

  for (const [what, hostile] of Object.entries(HOSTILE)) {
    it(`stays within a few times the quota: ${what}`, async () => {
      await using root = await testRoot(new MemoryDisk(), QUOTA_BYTES)
      let most = 0
      const look = async (): Promise<void> => {
        await root.flush()
        const { bytes, diskBytes } = await root.usage()
        assert.ok(bytes <= QUOTA_BYTES)
        most = Math.max(most, diskBytes)
      }
      await hostile(root, look)
      assert.ok(most > 0 && most <= 6 * QUOTA_BYTES, `${most / QUOTA_BYTES} times`)
    })
  }

  it('grows by no more than one state with every snapshot', async () => {
    await using root = await testRoot(new MemoryDisk(), QUOTA_BYTES)
    const sizes: number[] = []
    for (let round = 0; round < 5; round++) {
      for (let index = 0; index < 7; index++) await write(root, `c${index}`, CHUNK_BYTES)
      await root.snapshot()
      sizes.push((await root.usage()).diskBytes)
    }
    for (const [index, size] of sizes.entries()) assert.ok(size <= (index + 3) * QUOTA_BYTES, sizes.join(' '))
  })
})
