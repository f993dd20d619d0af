import { openDhtNetworks } from './dht-rig.ts'
import type { Benchmark } from './harness.ts'

/** Announcing one content in a network as that of `find-providers`, until its announcer is answered. */
export const benchmarks: readonly Benchmark[] = [
  {
    name: 'provide',
    unit: 'ms',
    better: 'lower',
    baselineName: 'stock kad-dht',
    runs: 5,
    target: { speedupMin: 5 },
    open: async () => {
      const network = { nodes: 150, work: 'provide', operations: 2 } as const
      return await openDhtNetworks({ ...network, side: 'ours' }, { ...network, side: 'stock' })
    }
  }
]
