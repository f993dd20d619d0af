import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { reaches, runBenchmark, type Benchmark, type BenchmarkResult } from './harness.ts'

/** `npm run bench -- [NAME…] [--json] [--runs N]`: each benchmark is a file of this folder, named as it is. */

/** Files of this folder that are no benchmarks. */
const NO_BENCHMARKS = new Set([
  'main',
  'harness',
  'node-process',
  'add-peer',
  'built-node',
  'exchange-peer',
  'fetch-nodes',
  'fetch-peer',
  'fetch-plain',
  'fetch-rig',
  'fetch-side',
  'get-peer',
  'gossip-crowd',
  'chat-crowd',
  'chat-hosts',
  'chat-log',
  'chat-member',
  'chat-members',
  'capsule-rig',
  'dht-network',
  'dht-rig',
  'loop-probe',
  'sim-full-nodes',
  'sim-parts-run'
])

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { json: { type: 'boolean', default: false }, runs: { type: 'string' } }
  })
  const known = benchmarkNames()
  const unknown = positionals.find((name) => !known.includes(name))
  const runs = values.runs === undefined ? undefined : Number(values.runs)
  if (unknown !== undefined) {
    refuse(`expected one of ${known.join(', ')}; got "${unknown}"`)
    return
  }
  if (runs !== undefined && !(Number.isInteger(runs) && runs > 0)) {
    refuse('expected --runs N with N ≥ 1')
    return
  }
  for (const name of positionals.length > 0 ? positionals : known) {
    for (const benchmark of await load(name)) await report(benchmark, { runs, isJson: values.json })
  }
}

function refuse(sentence: string): void {
  console.error(sentence)
  process.exitCode = 64
}

function benchmarkNames(): string[] {
  return readdirSync(import.meta.dirname)
    .filter((file) => file.endsWith('.ts'))
    .map((file) => file.slice(0, -'.ts'.length))
    .filter((name) => !NO_BENCHMARKS.has(name))
    .sort()
}

async function load(name: string): Promise<readonly Benchmark[]> {
  const module = (await import(join(import.meta.dirname, `${name}.ts`))) as {
    benchmarks: readonly Benchmark[]
  }
  return module.benchmarks
}

async function report(benchmark: Benchmark, o: { runs: number | undefined; isJson: boolean }): Promise<void> {
  const missing = await benchmark.missing?.()
  if (missing !== undefined) {
    console.error(`${benchmark.name}: skipped: ${missing}`)
    return
  }
  const result = await runBenchmark(benchmark, o.runs)
  console.log(o.isJson ? JSON.stringify(result) : sentenceOf(result, benchmark))
}

function sentenceOf(result: BenchmarkResult, { target }: Benchmark): string {
  const { name, unit, ours, baseline, baselineName, speedup, speedupQuartiles, runs, setting } = result
  const isReached = reaches(result, target)
  const verdict = isReached === undefined ? 'no target' : isReached ? 'target reached' : 'TARGET MISSED'
  const said = setting === undefined ? '' : `; ${setting}`
  const found =
    speedupQuartiles === undefined ? `median of ${runs}` : `${runs} pairs, ${speedupQuartiles.join('–')}`
  return `${name}: ${ours} ${unit}, ${baselineName} ${baseline} ${unit}: ${speedup} × (${found}; ${verdict}${said})`
}

await main()
