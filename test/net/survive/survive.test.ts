import assert from 'node:assert/strict'
import { randomInt } from 'node:crypto'
import { join } from 'node:path'
import { createCliHome } from '../../support/cli.ts'
import { needs } from '../../support/requirements.ts'
import { createSeededRandom } from '../../support/seeded-random.ts'
import { fatesAfter, planChaos } from './chaos.ts'
import { PINNED } from './pinned.ts'
import { startSurvival } from './rig.ts'
import type { Ledger } from './survive-run.ts'

const MEMBERS = 4
const DURATION_MS = 12_000

/** A sample; `npm run test:long -- survive` has twelve nodes for ten minutes. */
describe('nodes on slow, lossy links, killed and revived at random', function () {
  this.timeout(120_000)

  it('find again in the DHT what two others pinned', async function () {
    await needs(this, 'namespaces', 'nft', 'rates')
    const seed = randomInt(2 ** 31)
    const chaos = { members: MEMBERS, durationMs: DURATION_MS, cutRatio: 0.2 }
    const events = planChaos(createSeededRandom(seed), { ...chaos, upMs: 12_000, downMs: 4_000, downMax: 1 })
    const ledger: Ledger = { acknowledged: [], next: 0 }
    await using home = await createCliHome()
    const folder = join(home.folder, 'members')
    const fates = fatesAfter([], MEMBERS)
    const notes: string[] = []
    {
      await using survival = await startSurvival({ home, seed, ledger, folder, fates, keeping: PINNED })
      const stretch = { events, fromMs: 0, toMs: DURATION_MS, addEveryMs: 1_000, bytesMax: 200_000 }
      notes.push(await survival.pass(stretch), await survival.rest())
    }
    assert.ok(ledger.acknowledged.length > 0, 'nothing was acknowledged')
    assert.deepEqual(await home.running(), [])
    console.log(`      seed ${seed}: ${notes.join('; ')}`)
  })
})
