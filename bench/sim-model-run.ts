import { LOOKUP_RULES, TABLE_RULES } from '../sim/model/constants.ts'
import { LookupModel } from '../sim/model/lookup-model.ts'

/**
 * A process of the benchmark of the model: `node bench/sim-model-run.ts NODES EVENTS TIMES`. Prints a JSON line with the memory
 * that a node took and, for each of so many times, the events a second of wall time.
 */

const MINUTE_MS = 60_000
const DAY_MS: number = 24 * 60 * MINUTE_MS

const [nodeCount = 0, events = 0, times = 0] = process.argv.slice(2).map(Number)
const before = process.memoryUsage.rss()
const rules = { ...LOOKUP_RULES, firstRefreshDelayMs: 5 * MINUTE_MS }
// all have joined and looked for themselves; the filling of their tables is what is measured
const model = new LookupModel({ nodeCount, seed: 1, tables: TABLE_RULES, rules, growMs: 2 * MINUTE_MS })
model.run(4 * MINUTE_MS)
const eventsPerSecond = Array.from({ length: times }, () => {
  const [startedAtMs, first] = [performance.now(), model.events]
  model.run(DAY_MS, events)
  return (model.events - first) / ((performance.now() - startedAtMs) / 1_000)
})
// no less than its arrays, wherever their memory came from
const bytesPerNode = Math.max(process.memoryUsage.rss() - before, model.bytes) / nodeCount
console.log(JSON.stringify({ bytesPerNode, eventsPerSecond }))
