import { readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { createCliHome, type CliHome } from '../test/support/cli.ts'
import type { RunningProcess } from '../test/support/process.ts'
import type { Benchmark, Sides } from './harness.ts'
import type { LoopReport } from './loop-probe.ts'
import { writeRandomFile } from './random-file.ts'

/** 1 GiB, or what `BENCH_BYTES` says; what memory is compared with is a quarter of it. */
const BYTES = Number(process.env['BENCH_BYTES'] ?? 1024 ** 3)
const PART = 4
const IDLE_MS = 3_000
const TIMEOUT_MS = 10 * 60_000
const DOINGS = ['import', 'fetch', 'serve'] as const
type Doing = (typeof DOINGS)[number]

/** One file added to a node and got by another, as the processes of both nodes saw it. */
type Pass = Readonly<Record<Doing | 'idle', LoopReport>>

/**
 * How long the event loop of a node stands still while it imports, fetches and serves a file, and what memory that takes.
 * All cases of one run are read from the same pass, for a pass takes long.
 */
export const benchmarks: readonly Benchmark[] = [
  ...DOINGS.map((doing) => stallBenchmark(`loop-stall: ${doing}`, doing, 'stallMs')),
  ...DOINGS.map((doing) => stallBenchmark(`loop-stall: ${doing}, processor time`, doing, 'stallCpuMs')),
  ...DOINGS.map((doing): Benchmark => ({
    name: `loop-stall: memory of ${doing}`,
    unit: 'MiB',
    better: 'lower',
    baselineName: 'a file of a quarter of the size',
    runs: 5,
    target: { oursMax: 320 },
    open: () =>
      sides({
        ours: async (index) => (await passOf(BYTES, index))[doing].peakMib,
        baseline: async (index) => (await passOf(BYTES / PART, index))[doing].peakMib
      })
  }))
]

function stallBenchmark(name: string, doing: Doing, field: 'stallMs' | 'stallCpuMs'): Benchmark {
  return {
    ...{ name, unit: 'ms', better: 'lower', baselineName: 'a node with nothing to do', runs: 5 },
    target: { oursMax: 50 },
    open: () =>
      sides({
        ours: async (index) => (await passOf(BYTES, index))[doing][field],
        baseline: async (index) => (await passOf(BYTES, index)).idle[field]
      })
  }
}

function sides(o: {
  ours(index: number): Promise<number>
  baseline(index: number): Promise<number>
}): Promise<Sides> {
  const counts = { ours: 0, baseline: 0 }
  return Promise.resolve({
    ours: () => o.ours(counts.ours++),
    baseline: () => o.baseline(counts.baseline++),
    [Symbol.asyncDispose]: () => Promise.resolve()
  })
}

const passes = new Map<string, Promise<Pass>>()

function passOf(bytes: number, index: number): Promise<Pass> {
  const key = `${bytes} ${index}`
  const known = passes.get(key) ?? runPass(bytes)
  passes.set(key, known)
  return known
}

async function runPass(bytes: number): Promise<Pass> {
  await using home = await createCliHome()
  const file = join(home.folder, 'file')
  await writeRandomFile(file, bytes)
  // A third node holds the provider record, so that the client learns of the server as it would in a network.
  await using seed = await startProbed(home, 'seed')
  await using server = await startProbed(home, 'server', seed.address)
  await using client = await startProbed(home, 'client', seed.address)
  await server.report()
  await sleep(IDLE_MS)
  const idle = await server.report()
  const { cid } = await run(home, ['add', file, '--data', server.data])
  const imported = await server.report()
  await client.report()
  await run(home, ['get', String(cid), '-o', join(home.folder, 'copy'), '--data', client.data])
  const pass = { idle, import: imported, fetch: await client.report(), serve: await server.report() }
  console.error(JSON.stringify({ bytes, ...pass }))
  return pass
}

async function run(home: CliHome, args: readonly string[]): Promise<Record<string, unknown>> {
  const { code, json, stderr } = await home.run([...args, '--json'], { timeoutMs: TIMEOUT_MS })
  if (code !== 0) throw new Error(stderr)
  return json ?? {}
}

interface ProbedNode extends AsyncDisposable {
  readonly data: string
  readonly address: string
  /** What happened since the last report. */
  report(): Promise<LoopReport>
}

async function startProbed(home: CliHome, name: string, bootstrap?: string): Promise<ProbedNode> {
  const data = join(home.folder, name)
  const report = join(home.folder, `${name}.json`)
  const listen = ['--listen', '/ip4/127.0.0.1/tcp/0', '--no-mdns']
  const peers = bootstrap === undefined ? [] : ['--bootstrap', bootstrap]
  const env = { NODE_OPTIONS: `--import=${join(import.meta.dirname, 'loop-probe.ts')}`, LOOP_PROBE: report }
  const node = await home.start(['node', 'start', '--json', '--data', data, ...listen, ...peers], { env })
  const { addresses } = await node.event('listening', { timeoutMs: 60_000 })
  const [address = ''] = addresses as string[]
  return {
    ...{ data, address },
    report: () => readReport(node, report),
    [Symbol.asyncDispose]: () => node[Symbol.asyncDispose]()
  }
}

async function readReport(node: RunningProcess, path: string): Promise<LoopReport> {
  await rm(path, { force: true })
  node.signal('SIGUSR2')
  for (;;) {
    const text = await readFile(path, 'utf8').catch(() => '')
    if (text.endsWith('\n')) return JSON.parse(text) as LoopReport
    await sleep(20)
  }
}
