import assert from 'node:assert/strict'
import type { LongTest } from '../../scripts/test-long.ts'
import { measureReplicas, REPAIR_MS_MAX, type ReplicaMeasure } from '../../sim/model/measure-replicas.ts'

const HOUR_MS = 3_600_000
const INIT = { nodeCount: 1_000, objectCount: 10_000, goal: 5, objectBytes: 1_048_576 }
const STORAGE_MAX = 1.15
const TRAFFIC_MAX = 2

/** 10,000 objects through a day of nodes that come and go (half-life two hours), then one with a third cut off for an hour. */
export const longTest: LongTest<number> = {
  begin: () => 0,
  slice: async (done, seed) => {
    if (done === 0) {
      const found = measureReplicas({ ...INIT, seed, durationMs: 24 * HOUR_MS })
      const note = `a day: ${sentenceOf(found)}`
      assert.equal(found.lost, 0, note)
      assert.ok(found.storageMax <= STORAGE_MAX, note)
      assert.ok(found.repairMs.p95 <= REPAIR_MS_MAX, note)
      return { state: 1, isDone: false, note }
    }
    const found = measureReplicas({ ...INIT, seed, durationMs: 5 * HOUR_MS, cutOffAtMs: 2 * HOUR_MS })
    const { repairs = 0, died = 0 } = found.cutOff ?? {}
    const note = `cut off: ${repairs} copies made, ${died} were needed (${(repairs / died).toFixed(2)} ×); ${sentenceOf(found)}`
    assert.equal(found.lost, 0, note)
    assert.ok(repairs <= TRAFFIC_MAX * died, note)
    return { state: 2, isDone: true, note }
  }
}

function sentenceOf({
  lost,
  storageMean,
  storageMax,
  copiesMin,
  repairMs,
  lateRepairs,
  repairs
}: ReplicaMeasure): string {
  const seconds = [repairMs.p50, repairMs.p95, repairMs.max].map((ms) => Math.round(ms / 1_000))
  return [
    `${lost} lost, fewest copies ${copiesMin}, storage ${storageMean.toFixed(3)} × on average and ${storageMax.toFixed(3)} × at most`,
    `${repairs} copies made anew, after ${seconds.join(', ')} s (p50, p95, longest), ${lateRepairs} after more than 5 minutes`
  ].join('; ')
}
