import { closeSync, openSync, writeSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { errorMessage } from '#contracts'
import { PLANTS, type PlantName } from './plants.ts'
import { freshSeed } from './powers.ts'
import { runScenario, type ScenarioReport } from './run-scenario.ts'
import { SCENARIOS, type ScenarioName } from './scenarios/index.ts'

const USAGE = `usage: SIM_SEED=N node --import ./sim/preload.ts ./sim/main.ts SCENARIO [--nodes N] [--plant FAULT] [--trace FILE]
scenarios: ${Object.entries(SCENARIOS)
  .map(([name, { about }]) => `${name}: ${about}`)
  .join('\n           ')}
faults:    ${Object.keys(PLANTS).join(', ')}
`

function isScenario(name: string | undefined): name is ScenarioName {
  return name !== undefined && Object.hasOwn(SCENARIOS, name)
}

function isPlant(name: string | undefined): name is PlantName | undefined {
  return name === undefined || Object.hasOwn(PLANTS, name)
}

function seedFrom(text: string | undefined): number {
  return text === undefined || text === '' ? freshSeed() : Number(text)
}

function explain({ isPassed, failure, replay, seed, virtualMs, realMs }: ScenarioReport): void {
  if (isPassed) {
    writeSync(2, `seed ${seed}: passed, ${virtualMs} virtual ms in ${realMs} ms\n`)
    return
  }
  const lines = [
    ...['last in the trace:', ...(failure?.trace ?? [])],
    ...['last in the logs:', ...(failure?.logs ?? [])],
    `seed ${seed}: ${failure?.code ?? ''} ${failure?.message ?? ''}`,
    `replay with: ${replay}`
  ]
  writeSync(2, `${lines.join('\n')}\n`)
}

async function main(): Promise<number> {
  const options = { nodes: { type: 'string' }, plant: { type: 'string' }, trace: { type: 'string' } } as const
  const { values, positionals } = parseArgs({ options, allowPositionals: true })
  const [scenario] = positionals
  const { plant, nodes } = values
  if (!isScenario(scenario) || !isPlant(plant)) {
    writeSync(2, USAGE)
    return 2
  }
  const seed = seedFrom(process.env['SIM_SEED'])
  // said before anything can fail, in whatever way
  writeSync(2, `seed ${seed}\n`)
  const file = values.trace === undefined ? undefined : openSync(values.trace, 'w')
  try {
    const report = await runScenario({
      ...{ scenario, seed, plant, nodeCount: nodes === undefined ? undefined : Number(nodes) },
      onTraceLine: file === undefined ? undefined : (line) => void writeSync(file, `${line}\n`)
    })
    explain(report)
    writeSync(1, `${JSON.stringify(report)}\n`)
    return report.isPassed ? 0 : 1
  } finally {
    if (file !== undefined) closeSync(file)
  }
}

process.exitCode = await main().catch((error: unknown) => {
  writeSync(2, `${errorMessage(error)}\n`)
  return 1
})
