import assert from 'node:assert/strict'
import type { LongTest } from '../../scripts/test-long.ts'
import { runSeeds } from '../sim/run-simulation.ts'

const SEEDS = 10_000
/** Starting a process, and its first seeds, take as long as many that follow. */
const SEEDS_A_PROCESS = 100
const PROCESSES = 2

/** All promises are kept with many seeds of the small churn. What fails goes into `test/sim/seeds.json`. */
export const longTest: LongTest<number> = {
  begin: () => 0,
  slice: async (done, seed) => {
    const firsts = Array.from({ length: PROCESSES }, (_, index) => seed + done + index * SEEDS_A_PROCESS)
    const runs = await Promise.all(
      firsts.map(
        async (first) => await runSeeds('small-churn', { first: first % 2 ** 32, count: SEEDS_A_PROCESS })
      )
    )
    for (const report of runs.flat()) {
      assert.ok(report.isPassed, `${report.failure?.message ?? ''}\nagain: ${report.replay}`)
    }
    const state = done + PROCESSES * SEEDS_A_PROCESS
    return { state, isDone: state >= SEEDS, note: `${state} of ${SEEDS} seeds` }
  }
}
