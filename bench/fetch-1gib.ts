import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { createTemporaryFolder } from '../test/support/temporary-folder.ts'
import { kuboProgram, writeRandomFile } from './fetch-peer.ts'
import { openFetchSide, type Fetched } from './fetch-rig.ts'
import type { Benchmark, Sides, Target } from './harness.ts'

/** 1 GiB, or what `BENCH_BYTES` says. */
const BYTES = Number(process.env['BENCH_BYTES'] ?? 1024 ** 3)
const MEGABYTE = 1e6

/** A file from the disk of one process to the disk of another, which are connected and know each other. */
export const benchmarks: readonly Benchmark[] = [
  rate('helia', 'stock Helia bitswap (session, 32 wide)', { speedupMin: 5 }),
  rate('tls', 'a bare TLS 1.3 socket', { speedupMin: 0.5 }),
  rate('curl', 'curl from a plain HTTP server', { speedupMin: 0.6 }),
  { ...rate('kubo', 'Kubo fetching from Kubo', { speedupMin: 1 }), missing: missingKubo },
  {
    name: 'fetch-1gib-first-byte',
    ...{ unit: 'ms', better: 'lower', baselineName: 'stock Helia', runs: 5 },
    target: { oursMax: 50, speedupMin: 10 },
    open: async () => await open('helia', ({ firstMs }) => firstMs)
  },
  {
    name: 'fetch-1gib-server-memory',
    ...{ unit: 'MiB', better: 'lower', baselineName: 'stock Helia', runs: 5 },
    target: { oursMax: 64 },
    open: async () => await open('helia', ({ serverMib }) => serverMib)
  }
]

function rate(side: string, baselineName: string, target: Target): Benchmark {
  return {
    ...{ name: `fetch-1gib-${side}`, baselineName, unit: 'MB/s', better: 'higher', runs: 5, target },
    open: async () => await open(side, ({ seconds }) => BYTES / MEGABYTE / seconds)
  }
}

async function missingKubo(): Promise<string | undefined> {
  const isThere = await Promise.resolve(existsSync(kuboProgram()))
  return isThere ? undefined : `expected Kubo at ${kuboProgram()}`
}

async function open(side: string, figure: (fetched: Fetched) => number): Promise<Sides> {
  await using stack = new AsyncDisposableStack()
  const { path: folder } = stack.use(await createTemporaryFolder())
  const source = join(folder, 'file')
  await writeRandomFile(source, BYTES)
  const ours = stack.use(await openFetchSide({ side: 'ours', folder, source }))
  const baseline = stack.use(await openFetchSide({ side, folder, source }))
  const opened = stack.move()
  return {
    ours: async () => figure(await ours.fetch()),
    baseline: async () => figure(await baseline.fetch()),
    [Symbol.asyncDispose]: () => opened.disposeAsync()
  }
}
