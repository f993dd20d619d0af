import assert from 'node:assert/strict'
import fc from 'fast-check'
import * as dhtConstants from '../../../dht/constants.ts'
import * as queryConstants from '../../../dht/query/constants.ts'
import { isBucketsTurn as isEnginesTurn, planRefresh } from '../../../dht/table-refresh.ts'
import { LOOKUP_RULES, STOCK_TABLE_RULES, TABLE_RULES } from '../../../sim/model/constants.ts'
import { EventWheel, NOTHING } from '../../../sim/model/event-wheel.ts'
import { apart, handleOf, mix, mixSigned, slotOf, unmix } from '../../../sim/model/identities.ts'
import { LookupModel } from '../../../sim/model/lookup-model.ts'
import { measureLookups } from '../../../sim/model/measure.ts'
import { ReadAhead } from '../../../sim/model/read-ahead.ts'
import { Tables } from '../../../sim/model/tables.ts'
import { bucketsToRefresh, isBucketsTurn } from '../../../sim/model/upkeep.ts'
import { lookUpBoth } from '../../support/model-and-engine.ts'

const MINUTE_MS = 60_000
const GROWN = { growMs: 10 * MINUTE_MS, settleMs: 10 * MINUTE_MS }

describe('the wheel of events', () => {
  it('gives them in order of time, and of what was scheduled first, however far ahead', () => {
    const delays = fc.array(fc.oneof(fc.nat(3), fc.nat(3_000), fc.nat(3_000_000), fc.nat(900_000_000)), {
      maxLength: 60
    })
    fc.assert(
      fc.property(delays, fc.nat(5_000), (wanted, startMs) => {
        const wheel = new EventWheel(1)
        assert.equal(wheel.next(startMs), NOTHING)
        const due = wanted.map((delayMs) => {
          const event = wheel.create(1, 0, 0)
          wheel.schedule(event, delayMs)
          return { event, atMs: startMs + delayMs }
        })
        const expected = due.toSorted((a, b) => a.atMs - b.atMs)
        for (const { event, atMs } of expected) {
          // looking a little ahead at a time changes nothing
          const early = wheel.next(Math.max(wheel.nowMs, atMs - 1))
          assert.equal(early === NOTHING ? wheel.next(2 ** 30) : early, event)
          assert.equal(wheel.nowMs, atMs)
        }
      }),
      { numRuns: 60 }
    )
  })
})

describe('reading ahead', () => {
  it('reads of each event once, before it happens, in their order', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(40), fc.nat(40)), { maxLength: 200 }), (delays) => {
        const wheel = new EventWheel(1)
        for (const [delayMs, againMs] of delays) wheel.schedule(wheel.create(0, againMs, 0), delayMs)
        const read: number[] = []
        const happened: number[] = []
        const ahead = new ReadAhead(wheel, (event) => read.push(event))
        let aheadMax = 0
        for (let event = wheel.next(100); event !== NOTHING; event = wheel.next(100)) {
          ahead.pass(event)
          happened.push(event)
          aheadMax = Math.max(aheadMax, read.length - happened.length)
          assert.deepEqual(read.slice(0, happened.length), happened)
          // what it becomes happens too, maybe at once
          if (wheel.kindOf(event) === 1) continue
          wheel.become(event, 1)
          wheel.schedule(event, wheel.a(event))
        }
        assert.deepEqual([read, happened.length], [happened, 2 * delays.length])
        assert.ok(delays.length < 100 || aheadMax > 0)
      }),
      { numRuns: 60 }
    )
  })
})

describe('ids of the model', () => {
  it('lead back to what they were made of, and distances to ids', () => {
    const words = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 })
    fc.assert(
      fc.property(words, words, words, (a, b, target) => {
        assert.equal(unmix(mixSigned(a)), a)
        assert.equal(apart(apart(a, target), target), a)
        // nearer is less, in 32 bits without a sign
        assert.equal(apart(a, target) < apart(b, target), (a ^ target) >>> 0 < (b ^ target) >>> 0)
      })
    )
  })
})

describe('the tables of the model', () => {
  it('name the nearest of those in them, whatever the target is', () => {
    fc.assert(
      fc.property(
        fc.nat(),
        fc.constantFrom(TABLE_RULES, STOCK_TABLE_RULES),
        fc.boolean(),
        (seed, rules, isNear) => {
          const tables = new Tables({ nodeCount: 3_000, bucketSize: 20, rules, seed })
          for (let slot = 0; slot < 3_000; slot++) tables.lives[slot] = handleOf(slot, 0)
          for (let slot = 1; slot < 3_000; slot++) tables.offer(0, tables.idOf(handleOf(slot, 0)))
          const own = tables.idOf(handleOf(0, 0))
          const target = isNear ? (own ^ (mix(seed) >>> (seed % 28))) >>> 0 : mix(seed)
          const known: number[] = []
          tables.forEach(0, (id) => void known.push(id))
          const except = known[seed % known.length] ?? 0
          const distance = (id: number): number => (id ^ target) >>> 0
          const truth = known.filter((id) => id !== except).toSorted((a, b) => distance(a) - distance(b))
          const count = tables.nearest(0, target, except)
          const found = [...tables.found.subarray(0, count).map((away) => apart(away, target))]
          found.sort((a, b) => distance(a) - distance(b))
          assert.deepEqual(found, truth.slice(0, 20))
        }
      ),
      { numRuns: 80 }
    )
  })

  it('let somebody in when the oldest of a full bucket are gone', () => {
    const tables = new Tables({ nodeCount: 3_000, bucketSize: 20, rules: STOCK_TABLE_RULES, seed: 1 })
    for (let slot = 0; slot < 3_000; slot++) tables.lives[slot] = handleOf(slot, 0)
    const alike = Array.from({ length: 2_999 }, (_, index) => handleOf(index + 1, 0)).filter(
      (peer) => tables.idOf(peer) >>> 26 === 5
    )
    for (const peer of alike.slice(0, 21)) tables.offer(0, tables.idOf(peer))
    const [first = 0] = alike
    const has = (peer: number): boolean => tables.has(0, tables.idOf(peer))
    const late = alike[20] ?? 0
    assert.equal(has(late), false)
    tables.lives[slotOf(first)] = handleOf(slotOf(first), 1)
    tables.offer(0, tables.idOf(late))
    assert.deepEqual([has(late), has(first), tables.sizeOf(0)], [true, false, 20])
  })

  it('are refreshed as those of the engine are', () => {
    const model = new LookupModel({ nodeCount: 800, seed: 3, tables: TABLE_RULES, growMs: 60_000 })
    model.run(120_000)
    const bytesOf = (id: number): Uint8Array => {
      const bytes = new Uint8Array(32)
      new DataView(bytes.buffer).setInt32(0, id)
      return bytes
    }
    for (const slot of [0, 99, 700]) {
      const known: Uint8Array[] = []
      model.tables.forEach(slot, (id) => void known.push(bytesOf(id)))
      const plan = planRefresh(bytesOf(model.tables.idOf(model.tables.lives[slot] ?? 0)), known, 20)
      assert.equal(bucketsToRefresh(model.tables, slot, LOOKUP_RULES), plan.length)
    }
    for (let round = 0; round < 8; round++) {
      for (let bucket = 0; bucket < 14; bucket++) {
        assert.equal(isBucketsTurn(round, bucket, LOOKUP_RULES), isEnginesTurn(round, bucket))
      }
    }
  })
})

describe('the model of lookups', () => {
  it('has the rules of the engine', () => {
    assert.deepEqual(LOOKUP_RULES, {
      closestPeers: dhtConstants.CLOSEST_PEERS,
      parallel: queryConstants.QUERY_PARALLEL,
      parallelThorough: queryConstants.QUERY_PARALLEL_THOROUGH,
      messagesMax: queryConstants.QUERY_MESSAGES_MAX,
      dialsMax: queryConstants.QUERY_DIALS_MAX,
      connectedWindow: queryConstants.CONNECTED_WINDOW,
      answersMin: queryConstants.ANSWERS_MIN,
      stableAnswersMin: queryConstants.STABLE_ANSWERS_MIN,
      nearestAnsweredMin: queryConstants.NEAREST_ANSWERED_MIN,
      slowAnswerMs: queryConstants.SLOW_ANSWER_MS,
      slowCheckIntervalMs: queryConstants.SLOW_CHECK_INTERVAL_MS,
      failureShareMax: queryConstants.FAILURE_SHARE_MAX,
      failureShareWeight: queryConstants.FAILURE_SHARE_WEIGHT,
      firstRefreshDelayMs: dhtConstants.TABLE_FIRST_REFRESH_DELAY_MS,
      refreshIntervalMs: dhtConstants.TABLE_REFRESH_INTERVAL_MS,
      refreshTurns: dhtConstants.TABLE_REFRESH_TURNS,
      refreshBucketsMax: dhtConstants.TABLE_REFRESH_BUCKETS_MAX
    })
    assert.equal(TABLE_RULES.everywhereBits, dhtConstants.TABLE_BITS)
  })

  it('asks whom the engine asks, in as many rounds, over the same tables', async function () {
    this.timeout(60_000)
    for (const nodeCount of [100, 1_000]) {
      const { same, of, model, engine } = await lookUpBoth({ nodeCount, seed: 5, lookups: 30 })
      const about = `${nodeCount} nodes: ${JSON.stringify({ same, of, model, engine })}`
      assert.equal(same, of, about)
      assert.deepEqual(model, engine, about)
    }
  })

  it('does the same again for the same seed, and something else for another', () => {
    const hash = (seed: number): string =>
      measureLookups({ nodeCount: 150, seed, lookups: 40, growMs: MINUTE_MS, settleMs: MINUTE_MS }).traceHash
    assert.equal(hash(7), hash(7))
    assert.notEqual(hash(7), hash(8))
  })

  for (const nodeCount of [100, 1_000]) {
    it(`finds the nearest of ${nodeCount} in few rounds, on tables built by joining under churn`, function () {
      this.timeout(60_000)
      const found = measureLookups({ nodeCount, seed: 11, lookups: 400, ...GROWN })
      assert.ok(found.rounds.p95 <= found.roundsMax, JSON.stringify(found))
      assert.ok(found.recall >= 0.98, JSON.stringify(found))
      assert.ok(found.staleShare < 0.1, JSON.stringify(found))
    })
  }
})
