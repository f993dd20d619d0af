import type { LinesInit } from '../lines.ts'
import type { Simulation } from '../simulate.ts'
import { meetAndFetch } from './meet-and-fetch.ts'

/** Something that nodes do together, and what must hold while they do it. */
export interface Scenario {
  /** One line for a person. */
  readonly about: string
  readonly nodeCount: number
  readonly network: Omit<LinesInit, 'seed'>
  /** @throws whatever shows that it failed */
  play(sim: Simulation): Promise<void>
}

/** The name of a scenario. */
export type ScenarioName = 'meet-and-fetch'

/** Every scenario, by its name. */
export const SCENARIOS: Readonly<Record<ScenarioName, Scenario>> = {
  'meet-and-fetch': {
    about: 'nodes that know only the first fetch from each other, through a partition, and two of them talk',
    nodeCount: 20,
    network: { latencyMs: { min: 5, max: 100 }, packetLossRatio: 0.005 },
    play: meetAndFetch
  }
}
