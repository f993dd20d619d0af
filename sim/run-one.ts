import { SimError } from './errors.ts'
import type { FinishedRun, RunInit } from './run-report.ts'
import type { Scenario } from './scenario.ts'

/** Runs one scenario once, at the depth it is for. The code of the other depths is not loaded. */
export async function runScenario(name: string, scenario: Scenario, run: RunInit): Promise<FinishedRun> {
  if (scenario.depth === 'full') {
    if (run.durationMs !== undefined) {
      throw new SimError('ERR_SIM_OPTION', `expected no --duration: ${name} ends when its nodes are done`)
    }
    const { runFullScenario } = await import('./run-scenario.ts')
    return await runFullScenario(name, scenario, run)
  }
  if (scenario.depth === 'model') {
    const { runModelScenario } = await import('./model/run.ts')
    return await runModelScenario(name, scenario, run)
  }
  const { runPartsScenario } = await import('./parts/run.ts')
  return await runPartsScenario(name, scenario, run)
}
