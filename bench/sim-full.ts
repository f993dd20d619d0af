import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { FULL_RUN_FLAGS } from '../sim/constants.ts'
import type { Benchmark } from './harness.ts'

/** Fifty whole nodes, libp2p and all, through ten virtual minutes in which they join, publish, fetch and talk. */

const NODES = 50
const MINUTES = 10
const WANTED = 30
const ROOT = join(import.meta.dirname, '..')

interface Result {
  readonly virtualMs: number
  readonly realMs: number
  readonly published: number
  readonly fetched: number
  readonly said: number
  readonly heard: number
  readonly listeners: number
}

async function timesRealTime(): Promise<number> {
  const program = ['bench/sim-full-nodes.ts', String(NODES), String(MINUTES)]
  const args = [...FULL_RUN_FLAGS, '--import', './sim/preload.ts', ...program]
  const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: ROOT })
  const result = JSON.parse(stdout) as Result
  const { published, fetched, said, heard, listeners } = result
  if (fetched < published || heard < said * listeners)
    throw new Error(`expected all to arrive, got ${stdout}`)
  return result.virtualMs / result.realMs
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
