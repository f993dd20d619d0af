import assert from 'node:assert/strict'
import type { LongTest } from '../../scripts/test-long.ts'
import { PARTS_PLANTS } from '../../sim/parts/plants.ts'
import { isFoundBy, runSeeds } from '../sim/run-simulation.ts'

const SEEDS = 200
const SEEDS_AT_ONCE = 5

/** Every planted fault is found by its checker within 200 fresh seeds. */
export const longTest: LongTest<{ readonly plant: number; readonly tried: number }> = {
  begin: () => ({ plant: 0, tried: 0 }),
  slice: async ({ plant, tried }, seed) => {
    const plants = Object.entries(PARTS_PLANTS)
    const [name, { finds }] = plants[plant] ?? assert.fail(`expected one of ${plants.length} faults`)
    assert.ok(tried < SEEDS, `expected ${name} to be found within ${SEEDS} seeds`)
    const init = { first: (seed + tried) % 2 ** 32, count: SEEDS_AT_ONCE, plant: name }
    const reports = await runSeeds('small-churn', init)
    const found = reports.findIndex((report) => isFoundBy(finds, report))
    if (found === -1) {
      const state = { plant, tried: tried + SEEDS_AT_ONCE }
      return { state, isDone: false, note: `${name}: not found with ${state.tried} seeds` }
    }
    const note = `${name}: found after ${tried + found + 1} seeds, with seed ${init.first + found}`
    return { state: { plant: plant + 1, tried: 0 }, isDone: plant + 1 >= plants.length, note }
  }
}
