import assert from 'node:assert/strict'
import { join } from 'node:path'
import { blockKey } from '../../../content/cid.ts'
import { FailingDisk } from '../../support/failing-disk.ts'
import { createSeededRandom } from '../../support/seeded-random.ts'
import { createTemporaryFolder } from '../../support/temporary-folder.ts'
import { blockOf, keeping, openIn, signal } from '../../unit/content/pack-store.ts'
import type { Random } from '#contracts'
import type { BlockStore, BlockToPut } from '../../../content/block-store.ts'

const ROUNDS = 5

/** Uses the store until it fails; says which blocks must be there from then on. */
async function use(store: BlockStore, random: Random, promised: Map<string, BlockToPut>): Promise<void> {
  const durable = new Map(promised)
  const cached = new Map<string, BlockToPut>()
  for (;;) {
    const some = Array.from({ length: 1 + Math.floor(random.unit() * 8) }, () =>
      blockOf(random.bytes(1 + Math.floor(random.unit() * (random.unit() < 0.3 ? 40_000 : 2_000))))
    )
    const isDurable = random.unit() < 0.7
    await store.putMany(some, { durable: isDurable })
    for (const block of some) (isDurable ? durable : cached).set(blockKey(block.cid), block)
    for (const [key, block] of cached) {
      if (random.unit() < 0.7) continue
      cached.delete(key)
      await store.makeDurable(block.cid)
      durable.set(key, block)
    }
    await store.flush()
    for (const [key, block] of durable) promised.set(key, block)
    if (random.unit() < 0.7) continue
    const kept = [...promised.values()].filter(() => random.unit() < 0.7)
    // From here on the others may go.
    promised.clear()
    durable.clear()
    cached.clear()
    for (const block of kept) {
      promised.set(blockKey(block.cid), block)
      durable.set(blockKey(block.cid), block)
    }
    await store.sweep(keeping(kept))
  }
}

describe('packs after a power cut', () => {
  it('hold every block that was promised, and no block that is wrong', async () => {
    const seed = Date.now()
    for (let round = 0; round < ROUNDS; round++) {
      const random = createSeededRandom(seed + round)
      await using folder = await createTemporaryFolder()
      const path = join(folder.path, 'blocks')
      const promised = new Map<string, BlockToPut>()
      // Each cut falls on what those before it left.
      for (let cut = 0; cut < 4; cut++) {
        const disk = new FailingDisk(random, 3 + Math.floor(random.unit() * 60))
        try {
          const store = await openIn(path, disk.powers)
          await assert.rejects(use(store, random, promised))
          await Promise.resolve(store[Symbol.asyncDispose]()).catch(() => undefined)
        } catch (thrown) {
          assert.match(String(thrown), /no power/)
        }
        await disk.cut()
        await using store = await openIn(path)
        const { corrupt } = await store.verify({ signal })
        assert.deepEqual(corrupt.map(String), [], `corrupt: seed ${seed + round}, cut ${cut}`)
        for (const { cid, bytes } of promised.values()) {
          const found = await store.get(cid)
          assert.ok(
            found !== undefined && Buffer.from(found).equals(bytes),
            `lost: seed ${seed + round}, cut ${cut}`
          )
        }
      }
    }
  }).timeout(60_000)
})
