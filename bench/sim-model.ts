import { LOOKUP_RULES, TABLE_RULES } from '../sim/model/constants.ts'
import { LookupModel } from '../sim/model/lookup-model.ts'
import type { Benchmark, Sides } from './harness.ts'

/** The model of lookups at 100,000 nodes: memory that the process took for each node, and events a second of wall time. */

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

const target = { speedupMin: 1 }
const baselineName = 'what was asked for'

export const benchmarks: readonly Benchmark[] = [
  {
    ...{ name: 'sim-model-memory', unit: 'bytes', better: 'lower', runs: 1, baselineName, target },
    open: async () => {
      const before = process.memoryUsage.rss()
      return await openSides((model) => {
        // while tables are filled and searches go on; no less than its arrays, wherever their memory came from
        model.run(DAY_MS, EVENTS)
        return Math.max(process.memoryUsage.rss() - before, model.bytes) / NODES
      }, BYTES_PER_NODE_MAX)
    }
  },
  {
    ...{ name: 'sim-model', unit: 'events/s', better: 'higher', runs: 3, baselineName, target },
    open: async () =>
      await openSides((model) => {
        const before = model.events
        const startedAtMs = performance.now()
        model.run(DAY_MS, EVENTS)
        return (model.events - before) / ((performance.now() - startedAtMs) / 1_000)
      }, EVENTS_PER_SECOND_MIN)
  }
]
