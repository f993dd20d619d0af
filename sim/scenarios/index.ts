import type { Scenario } from '../scenario.ts'
import { badDisks } from './bad-disks.ts'
import { churn } from './churn.ts'
import { diurnalLaptops } from './diurnal-laptops.ts'
import { flashCrowd } from './flash-crowd.ts'
import { largeChurn } from './large-churn.ts'
import { massJoin } from './mass-join.ts'
import { partitionAndHeal } from './partition-and-heal.ts'
import { seedOutage } from './seed-outage.ts'
import { slowPeers } from './slow-peers.ts'
import { smallChurn } from './small-churn.ts'
import { sybils } from './sybils.ts'
import { updateRollOut } from './update-roll-out.ts'

/** Every scenario that comes with the program, by its name. */
export const SCENARIOS: Readonly<Record<string, Scenario>> = {
  'bad-disks': badDisks,
  churn,
  'diurnal-laptops': diurnalLaptops,
  'flash-crowd': flashCrowd,
  'large-churn': largeChurn,
  'mass-join': massJoin,
  'partition-and-heal': partitionAndHeal,
  'seed-outage': seedOutage,
  'slow-peers': slowPeers,
  'small-churn': smallChurn,
  sybils,
  'update-roll-out': updateRollOut,
  'meet-and-fetch': {
    about: 'nodes that know only the first fetch from each other, through a partition, and two of them talk',
    depth: 'full',
    nodes: 20,
    network: { latencyMs: { min: 5, max: 100 }, packetLossRatio: 0.005 },
    load: async () => await import('./meet-and-fetch.ts')
  }
}
