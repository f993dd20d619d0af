import type { Scenario } from '../scenario.ts'
import { churn } from './churn.ts'

/** Every scenario that comes with the program, by its name. */
export const SCENARIOS: Readonly<Record<string, Scenario>> = {
  churn,
  'meet-and-fetch': {
    about: 'nodes that know only the first fetch from each other, through a partition, and two of them talk',
    depth: 'full',
    nodes: 20,
    network: { latencyMs: { min: 5, max: 100 }, packetLossRatio: 0.005 },
    load: async () => await import('./meet-and-fetch.ts')
  }
}
