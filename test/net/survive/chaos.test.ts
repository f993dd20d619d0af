import assert from 'node:assert/strict'
import fc from 'fast-check'
import { createSeededRandom } from '../../support/seeded-random.ts'
import { fatesAfter, planChaos, SEED_MEMBER, type ChaosInit } from './chaos.ts'

const INIT: ChaosInit = {
  members: 12,
  durationMs: 600_000,
  upMs: 90_000,
  downMs: 40_000,
  downMax: 4,
  cutRatio: 0.2,
  loseEveryMs: 150_000
}

describe('a plan of chaos', () => {
  it('follows from its seed, strikes who is up, revives who is down, and leaves enough of them', () => {
    fc.assert(
      fc.property(fc.nat(), (seed) => {
        const events = planChaos(createSeededRandom(seed), INIT)
        assert.deepEqual(events, planChaos(createSeededRandom(seed), INIT))
        events.forEach(({ member, what }, at) => {
          const before = fatesAfter(events.slice(0, at), INIT.members)
          assert.equal(before[member]?.blow === undefined, what !== 'revive')
          const after = fatesAfter(events.slice(0, at + 1), INIT.members)
          assert.ok(after.filter(({ blow }) => blow !== undefined).length <= INIT.downMax)
        })
        const losses = events.filter(({ what }) => what === 'lose')
        assert.ok(losses.every(({ member }) => member !== SEED_MEMBER))
        assert.ok(losses.every(({ atMs }, at) => atMs - (losses[at - 1]?.atMs ?? 0) >= 150_000))
        assert.ok(losses.length >= 1 && events.length > 50, `${losses.length} of ${events.length}`)
      }),
      { numRuns: 20 }
    )
  })

  it('strikes somebody in the shortest time too', () => {
    const short = { members: 4, durationMs: 5_000, upMs: 15_000, downMs: 4_000, downMax: 1, cutRatio: 0.2 }
    for (let seed = 0; seed < 200; seed++) {
      assert.notDeepEqual(planChaos(createSeededRandom(seed), short), [], `seed ${seed}`)
    }
  })
})
