import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { Benchmark, Measure } from './harness.ts'

/** Simulations of our parts: what a seed of the small scenario costs, and an hour of churn with 1,000 nodes. */

const SEEDS = 10
const SEED_S = 0.4
const NODES = 1_000
const HOUR_S_MAX = 600
const HOUR_MIB_MAX = 4_096

interface PartsRun {
  readonly realMs: number
  readonly virtualMs: number
  /** Traced messages, and those of them that carried bytes. */
  readonly events: number
  readonly payloads: number
  readonly processorMs: number
  readonly peakMiB: number
}

async function run(...args: readonly (string | number)[]): Promise<PartsRun> {
  const program = ['bench/sim-parts-run.ts', ...args.map(String)]
  const { stdout } = await promisify(execFile)(process.execPath, program, {
    cwd: join(import.meta.dirname, '..')
  })
  return JSON.parse(stdout) as PartsRun
}

let hour: Promise<PartsRun> | undefined
let setting = `${NODES} nodes`

/** Runs once for both of its benchmarks: it takes minutes, and the same seed does the same again. */
async function churnHour(): Promise<PartsRun> {
  hour ??= run('churn', 1, 1, NODES)
  const { virtualMs, events, processorMs } = await hour
  const did = `${virtualMs / 60_000} virtual minutes, ${events} traced messages`
  setting = `${NODES} nodes, ${did}, ${Math.round(processorMs / 1_000)} s of processor time`
  return await hour
}

function benchmark(about: {
  readonly name: string
  readonly unit: Benchmark['unit']
  readonly most: number
  readonly measure: Measure
}): Benchmark {
  const { name, unit, most, measure } = about
  return {
    ...{ name, unit, better: 'lower', baselineName: 'what was asked for', runs: 1 },
    target: { speedupMin: 1 },
    open: async () => ({
      ours: measure,
      baseline: () => Promise.resolve(most),
      [Symbol.asyncDispose]: () => Promise.resolve()
    })
  }
}

const ofTheHour = (
  about: Pick<Parameters<typeof benchmark>[0], 'name' | 'unit' | 'most'>,
  read: (hour: PartsRun) => number
): Benchmark => {
  const made = benchmark({ ...about, measure: async () => read(await churnHour()) })
  // what was measured is known after it only
  return {
    ...made,
    get setting() {
      return setting
    }
  }
}

export const benchmarks: readonly Benchmark[] = [
  benchmark({
    ...{ name: 'sim-parts-seed', unit: 's', most: SEED_S },
    measure: async () => (await run('small-churn', 1, SEEDS)).processorMs / 1_000 / SEEDS
  }),
  ofTheHour({ name: 'sim-parts-hour', unit: 's', most: HOUR_S_MAX }, ({ realMs }) => realMs / 1_000),
  ofTheHour({ name: 'sim-parts-memory', unit: 'MiB', most: HOUR_MIB_MAX }, ({ peakMiB }) => peakMiB)
]
