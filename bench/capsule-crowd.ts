import { runCrowd, type CrowdReport } from '../test/support/capsule-crowd.ts'
import { GUEST_ENTRY, rigMissing } from './capsule-rig.ts'
import type { Benchmark, Measure } from './harness.ts'

const ANSWERING = { answering: 60, durationMs: 10_000, guestEntry: GUEST_ENTRY }

/**
 * 60 capsules that are asked something once a second, beside 20 that spin and 20 that flood: the slowest answer, and the
 * 99th percentile of the node's own status asked from another process.
 */
export const benchmarks: readonly Benchmark[] = [
  createBenchmark('capsule-crowd', 1000, ({ answerMs }) => answerMs.max),
  createBenchmark('capsule-crowd-status', 200, ({ statusMs }) => statusMs.p99)
]

function createBenchmark(name: string, oursMax: number, pick: (report: CrowdReport) => number): Benchmark {
  return {
    name,
    unit: 'ms',
    better: 'lower',
    baselineName: 'the 60 alone',
    runs: 3,
    target: { oursMax },
    missing: rigMissing,
    open: () =>
      Promise.resolve({
        ours: measure({ spinning: 20, flooding: 20 }, pick),
        baseline: measure({ spinning: 0, flooding: 0 }, pick),
        [Symbol.asyncDispose]: () => Promise.resolve()
      })
  }
}

function measure(
  others: { spinning: number; flooding: number },
  pick: (report: CrowdReport) => number
): Measure {
  return async () => pick(await runCrowd({ ...ANSWERING, ...others }))
}
