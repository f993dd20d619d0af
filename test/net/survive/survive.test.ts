import assert from 'node:assert/strict'
import { randomInt } from 'node:crypto'
import { join } from 'node:path'
import { createCliHome } from '../../support/cli.ts'
import { descendantsOf } from '../../support/descendants.ts'
import { needs } from '../../support/requirements.ts'
import { createSeededRandom } from '../../support/seeded-random.ts'
import { fatesAfter, planChaos } from './chaos.ts'
import { PINNED } from './pinned.ts'
import { startSurvival } from './rig.ts'
import { replicated } from './replicated.ts'
import type { Keeping, Ledger } from './survive-run.ts'

const MIB = 1024 * 1024

/** What a sample is like. */
interface Sample {
  readonly members: number
  readonly durationMs: number
  readonly keeping: Keeping
}

/** Samples; `npm run test:long -- survive` has twelve nodes for ten minutes. */
describe('nodes on slow, lossy links, killed and revived at random', function () {
  this.timeout(180_000)
  before(async function () {
    await needs(this, 'namespaces', 'nft', 'rates')
  })

  const live = async ({ members, durationMs, keeping }: Sample): Promise<void> => {
    const seed = randomInt(2 ** 31)
    const chaos = { upMs: 15_000, downMs: 4_000, downMax: 1, cutRatio: 0.2 }
    const events = planChaos(createSeededRandom(seed), { members, durationMs, ...chaos })
    const ledger: Ledger = { acknowledged: [], next: 0 }
    const others = new Set((await descendantsOf(process.pid)).map(({ pid }) => pid))
    await using home = await createCliHome()
    const folder = join(home.folder, 'members')
    const fates = fatesAfter([], members)
    const notes: string[] = []
    {
      await using survival = await startSurvival({ home, seed, ledger, folder, fates, keeping })
      const stretch = { events, fromMs: 0, toMs: durationMs, addEveryMs: 1_000, bytesMax: 200_000 }
      notes.push(await survival.pass(stretch))
      assert.ok(ledger.acknowledged.length > 0, `seed ${seed}: nothing was acknowledged`)
      notes.push(await survival.rest())
    }
    assert.deepEqual(await descendantsOf(process.pid, others), [])
    console.log(`      seed ${seed}: ${notes.join('; ')}`)
  }

  it('find again in the DHT what two others pinned', async () => {
    await live({ members: 4, durationMs: 5_000, keeping: PINNED })
  })

  it('keep what was acknowledged, within what each gives', async () => {
    const keeping = replicated({ copies: 3, spaceBytes: 32 * MIB, revivesAll: true, settleMs: 60_000 })
    await live({ members: 5, durationMs: 12_000, keeping })
  })
})
