import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { Benchmark } from './harness.ts'

/** Fifty whole nodes, libp2p and all, through ten virtual minutes in which they join, publish and fetch. */

const NODES = 50
const MINUTES = 10
const WANTED = 30
const ROOT = join(import.meta.dirname, '..')

async function timesRealTime(): Promise<number> {
  const program = ['bench/sim-full-nodes.ts', String(NODES), String(MINUTES)]
  const args = ['--import', './sim/preload.ts', ...program]
  const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: ROOT })
  const { virtualMs, realMs } = JSON.parse(stdout) as { virtualMs: number; realMs: number }
  return virtualMs / realMs
}

export const benchmarks: readonly Benchmark[] = [
  {
    name: 'sim-full',
    unit: '× real time',
    better: 'higher',
    baselineName: 'what was asked for',
    runs: 1,
    target: { speedupMin: 1 },
    open: async () => ({
      ours: timesRealTime,
      baseline: () => Promise.resolve(WANTED),
      [Symbol.asyncDispose]: () => Promise.resolve()
    })
  }
]
