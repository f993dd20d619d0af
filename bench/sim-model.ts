import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { simulatorEnvironment } from '../cli/simulator/powers.ts'
import type { Benchmark, Measure } from './harness.ts'

/**
 * The model of lookups at 100,000 nodes, in a process like that of `elastos sim run`: memory that it took for each node, and
 * events a second of wall time.
 */

const NODES = 100_000
const EVENTS = 3_000_000
const TIMES = 5
const EVENTS_PER_SECOND_MIN = 500_000
const BYTES_PER_NODE_MAX = 3_072

interface ModelRun {
  readonly bytesPerNode: number
  readonly eventsPerSecond: number[]
}

let once: Promise<ModelRun> | undefined

/** Runs once for both benchmarks. */
async function run(): Promise<ModelRun> {
  const program = ['bench/sim-model-run.ts', NODES, EVENTS, TIMES + 1].map(String)
  const options = { cwd: join(import.meta.dirname, '..'), env: simulatorEnvironment() }
  // one more, which is not measured
  once ??= promisify(execFile)(process.execPath, program, options).then(
    ({ stdout }) => JSON.parse(stdout) as ModelRun
  )
  return await once
}

const about = { baselineName: 'what was asked for', target: { speedupMin: 1 } }

function open(ours: Measure, wanted: number): Benchmark['open'] {
  return () =>
    Promise.resolve({
      ours,
      baseline: () => Promise.resolve(wanted),
      [Symbol.asyncDispose]: () => Promise.resolve()
    })
}

export const benchmarks: readonly Benchmark[] = [
  {
    ...{ ...about, name: 'sim-model-memory', unit: 'bytes', better: 'lower', runs: 1 },
    open: open(async () => (await run()).bytesPerNode, BYTES_PER_NODE_MAX)
  },
  {
    ...{ ...about, name: 'sim-model', unit: 'events/s', better: 'higher', runs: TIMES },
    open: open(async () => (await run()).eventsPerSecond.shift() ?? NaN, EVENTS_PER_SECOND_MIN)
  }
]
