import { execFile } from 'node:child_process'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { createTemporaryFolder } from '../test/support/temporary-folder.ts'
import type { Benchmark, Measure, Target } from './harness.ts'
import { writeRandomFile } from './random-file.ts'

const run = promisify(execFile)

/** 1 GiB, or what `BENCH_BYTES` says. */
const BYTES = Number(process.env['BENCH_BYTES'] ?? 1024 ** 3)
const SMALL_BYTES = Math.floor(BYTES / 4)
const MEGABYTE = 1e6

/** What `add-peer.ts` says. */
interface Added {
  readonly seconds: number
  readonly bytes: number
  /** How late a timer was, 99.9th percentile. */
  readonly stallMs: number
  /** How long the thread itself kept a timer waiting, without what other processes took; 99.9th percentile. */
  readonly turnMs: number
  /** Memory at its peak beyond what the process had before. */
  readonly peakMiB: number
}

/** A gigabyte into the store: how fast, whether the program answers meanwhile, and how much memory it takes. */
export const benchmarks: readonly Benchmark[] = [
  createBenchmark(
    { name: 'add-1gib', unit: 'MB/s', better: 'higher', baselineName: '`sha256sum` and a synced copy' },
    { speedupMin: 0.5 },
    ({ large, folder }) => ({
      ours: async () => rateOf(await add(folder, large)),
      baseline: async () => await hashAndCopy(folder, large)
    })
  ),
  createBenchmark(
    { name: 'add-1gib-stall', unit: 'ms', better: 'lower', baselineName: 'a process that waits' },
    { oursMax: 50 },
    ({ large, folder }) => ({
      ours: async () => (await add(folder, large)).stallMs,
      // What the machine alone does to a timer now.
      baseline: async () => (await add(folder, 'nothing')).stallMs
    })
  ),
  createBenchmark(
    { name: 'add-1gib-turn', unit: 'ms', better: 'lower', baselineName: 'a process that waits' },
    { oursMax: 50 },
    ({ large, folder }) => ({
      ours: async () => (await add(folder, large)).turnMs,
      baseline: async () => (await add(folder, 'nothing')).turnMs
    })
  ),
  createBenchmark(
    { name: 'add-1gib-memory', unit: 'MiB', better: 'lower', baselineName: 'the same of a quarter' },
    { oursMax: 128, speedupMin: 0.5 },
    ({ large, small, folder }) => ({
      ours: async () => (await add(folder, large)).peakMiB,
      baseline: async () => (await add(folder, small)).peakMiB
    })
  )
]

function createBenchmark(
  facts: Pick<Benchmark, 'name' | 'unit' | 'better' | 'baselineName'>,
  target: Target,
  sidesOf: (o: { large: string; small: string; folder: string }) => { ours: Measure; baseline: Measure }
): Benchmark {
  return {
    ...{ ...facts, target, runs: 5 },
    open: async () => {
      const folder = await createTemporaryFolder()
      const [large, small] = [join(folder.path, 'large'), join(folder.path, 'small')]
      await writeRandomFile(large, BYTES)
      await writeRandomFile(small, SMALL_BYTES)
      return {
        ...sidesOf({ large, small, folder: folder.path }),
        [Symbol.asyncDispose]: async () => await folder[Symbol.asyncDispose]()
      }
    }
  }
}

async function add(folder: string, file: string): Promise<Added> {
  const data = join(folder, 'data')
  const { stdout } = await run(process.execPath, [join(import.meta.dirname, 'add-peer.ts'), data, file])
  await rm(data, { recursive: true })
  return JSON.parse(stdout) as Added
}

function rateOf({ bytes, seconds }: Added): number {
  return bytes / MEGABYTE / seconds
}

async function hashAndCopy(folder: string, file: string): Promise<number> {
  const copy = join(folder, 'copy')
  const startedAt = performance.now()
  await run('sh', ['-c', 'sha256sum "$1" && cp --reflink=never "$1" "$2" && sync "$2"', 'sh', file, copy])
  const seconds = (performance.now() - startedAt) / 1000
  await rm(copy)
  return BYTES / MEGABYTE / seconds
}
