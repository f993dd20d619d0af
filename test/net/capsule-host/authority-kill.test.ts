import assert from 'node:assert/strict'
import { randomInt } from 'node:crypto'
import { join } from 'node:path'
import { createSeededRandom } from '../../support/seeded-random.ts'
import { createTemporaryFolder } from '../../support/temporary-folder.ts'
import { checkStore, createTold, killOnce } from './authority-kills.ts'

const KILLS = 12

describe('the store of grants of a process that is killed', () => {
  it(`grants nothing twice, loses no revocation and opens, after each of ${KILLS} kills at random moments`, async () => {
    const seed = randomInt(2 ** 31)
    const random = createSeededRandom(seed)
    await using temporary = await createTemporaryFolder()
    const folder = join(temporary.path, 'authority')
    const told = createTold()
    try {
      for (let kill = 0; kill < KILLS; kill++) {
        await killOnce(folder, told, random)
        await checkStore(folder, told)
      }
      assert.ok(told.lines > KILLS, 'the workers did nothing')
      assert.ok(Object.keys(told.uses).length > 0)
    } catch (cause) {
      throw new Error(`seed ${seed}`, { cause })
    }
    console.log(`      seed ${seed}: ${told.lines} answers, ${told.revoked.length} revocations`)
  })
})
