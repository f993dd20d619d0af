import { LOOKUP_RULES, TABLE_RULES } from '../sim/model/constants.ts'
import { LookupModel } from '../sim/model/lookup-model.ts'
import type { Benchmark, Sides } from './harness.ts'

/** The model of lookups at 100,000 nodes: events a second of wall time, and bytes of its arrays for each node. */

const NODES = 100_000
const EVENTS = 3_000_000
const MINUTE_MS = 60_000
const DAY_MS: number = 24 * 60 * MINUTE_MS
const EVENTS_PER_SECOND_MIN = 500_000
const BYTES_PER_NODE_MAX = 3_072

/** A network whose nodes have all joined and looked for themselves; the filling of their tables is what is measured. */
function joined(): LookupModel {
  const rules = { ...LOOKUP_RULES, firstRefreshDelayMs: 5 * MINUTE_MS }
  const model = new LookupModel({
    nodeCount: NODES,
    seed: 1,
    tables: TABLE_RULES,
    rules,
    growMs: 2 * MINUTE_MS
  })
  model.run(4 * MINUTE_MS)
  return model
}

async function openSides(measure: (model: LookupModel) => number, wanted: number): Promise<Sides> {
  const model = joined()
  return {
    ours: () => Promise.resolve(measure(model)),
    baseline: () => Promise.resolve(wanted),
    [Symbol.asyncDispose]: () => Promise.resolve()
  }
}

export const benchmarks: readonly Benchmark[] = [
  {
    name: 'sim-model',
    unit: 'events/s',
    better: 'higher',
    baselineName: 'what was asked for',
    runs: 3,
    target: { speedupMin: 1 },
    open: async () =>
      await openSides((model) => {
        const before = model.events
        const startedAtMs = performance.now()
        model.run(DAY_MS, EVENTS)
        return (model.events - before) / ((performance.now() - startedAtMs) / 1_000)
      }, EVENTS_PER_SECOND_MIN)
  },
  {
    name: 'sim-model-memory',
    unit: 'bytes',
    better: 'lower',
    baselineName: 'what was asked for',
    runs: 1,
    target: { speedupMin: 1 },
    open: async () => await openSides((model) => model.bytes / NODES, BYTES_PER_NODE_MAX)
  }
]
