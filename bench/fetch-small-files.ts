import { randomBytes } from 'node:crypto'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createTemporaryFolder } from '../test/support/temporary-folder.ts'
import { openFetchSide } from './fetch-rig.ts'
import type { Benchmark, Target } from './harness.ts'

/** 10,000, or what `BENCH_FILES` says. */
const FILES = Number(process.env['BENCH_FILES'] ?? 10_000)
const FILE_BYTES = 4096
const FILES_PER_FOLDER = 100
const MEGABYTE = 1e6

/** A folder of many small files from the disk of one process to the disk of another. */
export const benchmarks: readonly Benchmark[] = [
  compare('helia', 'stock Helia bitswap (session, 32 wide)', { speedupMin: 5 }),
  compare('tar', 'tar through a TLS 1.3 socket', { speedupMin: 0.4 })
]

function compare(side: string, baselineName: string, target: Target): Benchmark {
  return {
    ...{ name: `fetch-small-files-${side}`, baselineName, unit: 'MB/s', better: 'higher', runs: 5, target },
    open: async () => {
      await using stack = new AsyncDisposableStack()
      const { path: folder } = stack.use(await createTemporaryFolder())
      const source = join(folder, 'files')
      await writeFiles(source)
      const ours = stack.use(await openFetchSide({ side: 'ours', folder, source }))
      const baseline = stack.use(await openFetchSide({ side, folder, source }))
      const opened = stack.move()
      const megabytes = (FILES * FILE_BYTES) / MEGABYTE
      return {
        ours: async () => megabytes / (await ours.fetch()).seconds,
        baseline: async () => megabytes / (await baseline.fetch()).seconds,
        [Symbol.asyncDispose]: () => opened.disposeAsync()
      }
    }
  }
}

async function writeFiles(folder: string): Promise<void> {
  for (let index = 0; index < FILES; index++) {
    const parent = join(folder, String(Math.floor(index / FILES_PER_FOLDER)))
    if (index % FILES_PER_FOLDER === 0) await mkdir(parent, { recursive: true })
    await writeFile(join(parent, String(index)), randomBytes(FILE_BYTES))
  }
}
