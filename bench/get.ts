import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { createCliHome, type CliHome } from '../test/support/cli.ts'
import { startProcess, type RunningProcess } from '../test/support/process.ts'
import { createTemporaryFolder } from '../test/support/temporary-folder.ts'
import type { Benchmark, Measure } from './harness.ts'
import { writeRandomFile } from './random-file.ts'

/** 1 GiB, or what `BENCH_BYTES` says. */
const BYTES = Number(process.env['BENCH_BYTES'] ?? 1024 ** 3)
const MEGABYTE = 1e6
const TIMEOUT_MS = 20 * 60_000

/** A file from the disk of one process to the disk of another: `elastos get` beside the least and beside the usual. */
export const benchmarks: readonly Benchmark[] = [
  createBenchmark('get-tls', 'a bare TLS socket between two Node processes', 'tls'),
  createBenchmark('get-helia', 'stock Helia, its blocks in memory', 'helia')
]

function createBenchmark(name: string, baselineName: string, side: 'tls' | 'helia'): Benchmark {
  return {
    ...{ name, baselineName, unit: 'MB/s', better: 'higher', runs: 3 },
    open: async () => {
      await using stack = new AsyncDisposableStack()
      const folder = stack.use(await createTemporaryFolder())
      const file = join(folder.path, 'file')
      await writeRandomFile(file, BYTES)
      const home = stack.use(await createCliHome())
      const ours = await openOurs(home, file)
      const baseline = await openPeers(stack, { side, file, folder: folder.path })
      const opened = stack.move()
      return { ours, baseline, [Symbol.asyncDispose]: () => opened.disposeAsync() }
    }
  }
}

async function openOurs(home: CliHome, file: string): Promise<Measure> {
  const listen = ['--listen', '/ip4/127.0.0.1/tcp/0', '--no-mdns']
  const run = async (args: readonly string[]): Promise<Record<string, unknown>> => {
    const { code, json, stderr } = await home.run([...args, '--json'], { timeoutMs: TIMEOUT_MS })
    if (code !== 0) throw new Error(stderr)
    return json ?? {}
  }
  // A third node holds the provider record, so that the client learns of the server as it would in a network.
  const seed = ['node', 'start', '--detach', '--data', join(home.folder, 'seed'), ...listen]
  const { addresses } = await run(seed)
  const [bootstrap = ''] = addresses as string[]
  const server = join(home.folder, 'server')
  await run(['node', 'start', '--detach', '--data', server, '--bootstrap', bootstrap, ...listen])
  const { cid } = await run(['add', file, '--data', server])
  return async () => {
    const data = join(home.folder, 'client')
    const output = join(home.folder, 'copy')
    await run(['node', 'start', '--detach', '--data', data, '--bootstrap', bootstrap, ...listen])
    const startedAt = performance.now()
    await run(['get', String(cid), '-o', output, '--data', data])
    const seconds = (performance.now() - startedAt) / 1000
    await run(['node', 'stop', '--data', data])
    await rm(output)
    await rm(data, { recursive: true })
    return BYTES / MEGABYTE / seconds
  }
}

async function openPeers(
  stack: AsyncDisposableStack,
  { side, file, folder }: { side: string; file: string; folder: string }
): Promise<Measure> {
  const start = async (role: string, ...more: string[]): Promise<RunningProcess> => {
    const args = [join(import.meta.dirname, 'get-peer.ts'), side, role, folder, ...more]
    return await startProcess({ command: process.execPath, args })
  }
  const server = stack.use(await start('serve', file))
  const where = await server.event('ready', { timeoutMs: TIMEOUT_MS })
  return async () => {
    await using client = await start('fetch')
    await client.event('ready', { timeoutMs: 60_000 })
    const startedAt = performance.now()
    client.write(`${JSON.stringify(where)}\n`)
    await client.event('fetched', { timeoutMs: TIMEOUT_MS })
    return BYTES / MEGABYTE / ((performance.now() - startedAt) / 1000)
  }
}
