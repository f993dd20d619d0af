import assert from 'node:assert/strict'
import fc from 'fast-check'
import { seedOf } from '#replication'
import * as constants from '../../../replication/constants.ts'
import { whomToAsk } from '../../../replication/decide.ts'
import { handleOf } from '../../../sim/model/identities.ts'
import { measureReplicas, REPAIR_MS_MAX } from '../../../sim/model/measure-replicas.ts'
import { didOf, offerOf, OfferTable, rootOf } from '../../../sim/model/replica-placement.ts'
import { ReplicaModel } from '../../../sim/model/replica-model.ts'
import { REPLICA_RULES } from '../../../sim/model/replica-rules.ts'

const HOUR_MS = 3_600_000
const SMALL = { nodeCount: 300, objectCount: 400, seed: 3, goal: 5, objectBytes: 1_048_576 }

describe('the model of replicas', () => {
  it('has the rules of replication', () => {
    assert.deepEqual(REPLICA_RULES, {
      leaseMs: constants.LEASE_MS,
      renewEveryMs: constants.RENEW_EVERY_MS,
      lookEveryMs: constants.LOOK_EVERY_MS,
      repairJitterMs: constants.REPAIR_JITTER_MS,
      dutyStepMs: constants.DUTY_STEP_MS,
      takingMs: constants.TAKING_MS,
      trimAfterMs: constants.TRIM_AFTER_MS,
      requestTimeoutMs: constants.REQUEST_TIMEOUT_MS,
      offerMs: constants.OFFER_MS,
      offerEveryMs: constants.OFFER_EVERY_MS,
      cutOffCopies: constants.CUT_OFF_COPIES,
      beyondCutMin: constants.BEYOND_CUT_MIN,
      fetchesMax: constants.FETCHES_MAX,
      repairBytesPerSecond: constants.REPAIR_BYTES_PER_SECOND
    })
  })

  it('asks whom replication asks, after any offers came and went', () => {
    const cases = fc.record({
      nodes: fc.integer({ min: 12, max: 120 }),
      gone: fc.array(fc.nat(119), { maxLength: 40 }),
      live: fc.array(fc.nat(119), { maxLength: 5 }),
      object: fc.nat(1_000_000),
      missing: fc.integer({ min: 1, max: 4 })
    })
    fc.assert(
      fc.property(cases, ({ nodes, gone, live, object, missing }) => {
        const networkOf = (slot: number): number => slot % 20
        const table = new OfferTable(nodes)
        for (let slot = 0; slot < nodes; slot++) table.add(handleOf(slot, 1), networkOf(slot))
        for (const slot of gone) table.remove(handleOf(slot, 1))
        const slots = Array.from({ length: nodes }, (_, slot) => slot)
        const holding = new Set(live.filter((slot) => slot < nodes && !gone.includes(slot)))
        const networks = new Set([...holding].map(networkOf))
        const except = new Set([...holding].map((slot) => handleOf(slot, 1)))
        const ours: string[] = []
        while (ours.length < missing) {
          const best = table.best(seedOf(rootOf(object)), networks, except)
          if (best === undefined) break
          networks.add(best.network)
          ours.push(didOf(best.handle))
        }
        const there = slots.filter((slot) => !gone.includes(slot))
        const offers = there.map((slot) => ({
          ...offerOf(handleOf(slot, 1), networkOf(slot)),
          ...{ pool: '*', issuedAtMs: 0, expiresAtMs: HOUR_MS }
        }))
        const goal = {
          ...{
            root: rootOf(object),
            owner: didOf(1),
            person: didOf(1),
            pools: ['*'],
            copies: holding.size + missing
          },
          ...{ bytes: 1, isPublic: true, readers: [], issuedAtMs: 0 }
        }
        const holders = new Set([...holding].map((slot) => didOf(handleOf(slot, 1))))
        const known = { goal, self: didOf(2), live: holders, demand: 0, offers }
        const view = { ...known, without: new Set<never>(), nowMs: 0 }
        // the model asks nobody in a network that has a copy; the engine does when there is no other
        const theirs = whomToAsk(view).slice(0, ours.length)
        assert.deepEqual(ours, theirs)
      }),
      { numRuns: 150 }
    )
  })

  it('does the same again for the same seed', () => {
    const holdersAfter = (seed: number): number[][] => {
      const model = new ReplicaModel({ ...SMALL, seed })
      model.run(HOUR_MS)
      return model.holders()
    }
    assert.deepEqual(holdersAfter(1), holdersAfter(1))
    assert.notDeepEqual(holdersAfter(1), holdersAfter(2))
  })

  it('loses nothing in eight hours of coming and going, at little more than what was asked for', function () {
    this.timeout(30_000)
    const found = measureReplicas({ ...SMALL, durationMs: 8 * HOUR_MS })
    const about = JSON.stringify(found)
    assert.equal(found.lost, 0, about)
    assert.ok(found.repairs > SMALL.objectCount, about)
    assert.ok(found.storageMax <= 1.15, about)
    assert.ok(found.repairMs.p95 <= REPAIR_MS_MAX, about)
  })

  it('loses much of it where nobody makes copies anew', () => {
    const rules = { ...REPLICA_RULES, leaseMs: 24 * HOUR_MS }
    assert.ok(measureReplicas({ ...SMALL, rules, durationMs: 12 * HOUR_MS }).lost > SMALL.objectCount / 10)
  })

  it('loses nothing while a third is cut off for an hour, and copies little more than had to be', function () {
    this.timeout(30_000)
    const found = measureReplicas({ ...SMALL, durationMs: 5 * HOUR_MS, cutOffAtMs: HOUR_MS })
    const about = JSON.stringify(found)
    assert.equal(found.lost, 0, about)
    assert.ok(found.cutOff !== undefined && found.cutOff.repairs <= 2 * found.cutOff.died, about)
  })
})
