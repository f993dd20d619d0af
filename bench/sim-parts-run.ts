import { writeSync } from 'node:fs'
import { runScenario, SCENARIOS } from '#sim'

/**
 * A process of the benchmarks of our parts: `node bench/sim-parts-run.ts SCENARIO FIRST_SEED SEEDS [NODES] [VIRTUAL_MINUTES]`. Runs so
 * many seeds one after the other, and prints what they took as a JSON line.
 */
async function main([name = '', first = '1', seeds = '1', nodes, minutes]: readonly string[]): Promise<void> {
  const scenario = SCENARIOS[name]
  if (scenario === undefined) throw new Error(`expected a scenario, got ${name}`)
  const result = { realMs: 0, virtualMs: 0, events: 0, payloads: 0 }
  for (let index = 0; index < Number(seeds); index++) {
    const size = nodes === undefined ? {} : { nodeCount: Number(nodes) }
    const time = minutes === undefined ? {} : { durationMs: Number(minutes) * 60_000 }
    const { report } = await runScenario(name, scenario, {
      seed: Number(first) + index,
      plant: undefined,
      ...size,
      ...time
    })
    if (!report.isPassed) throw new Error(`${report.failure?.message ?? ''}; again: ${report.replay}`)
    for (const what of Object.keys(result) as (keyof typeof result)[]) result[what] += report[what]
  }
  const { userCPUTime, systemCPUTime, maxRSS } = process.resourceUsage()
  const used = { processorMs: (userCPUTime + systemCPUTime) / 1_000, peakMiB: maxRSS / 1_024 }
  writeSync(1, `${JSON.stringify({ ...result, ...used })}\n`)
}

await main(process.argv.slice(2))
