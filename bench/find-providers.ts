import { openDhtNetworks } from './dht-rig.ts'
import type { Benchmark } from './harness.ts'

const STOCK = 'stock kad-dht'

/**
 * All nodes of a network in one process, over the memory transport, noise and yamux, tables filled; four of them announce
 * and search in turn. A search is timed until it ends by itself.
 */
export const benchmarks: readonly Benchmark[] = [
  {
    name: 'find-providers',
    unit: 'ms',
    better: 'lower',
    baselineName: STOCK,
    runs: 5,
    target: { speedupMin: 10 },
    open: async () => {
      const network = { nodes: 150, work: 'find', operations: 2 } as const
      return await openDhtNetworks({ ...network, side: 'ours' }, { ...network, side: 'stock' })
    }
  },
  {
    name: 'find-providers-hyperdht',
    unit: 'ms',
    better: 'lower',
    baselineName: 'HyperDHT',
    runs: 5,
    target: { speedupMin: 0.25 },
    open: async () => {
      const network = { nodes: 150, work: 'find', operations: 10 } as const
      return await openDhtNetworks({ ...network, side: 'ours' }, { ...network, side: 'hyperdht' })
    }
  },
  {
    name: 'find-providers-processor',
    unit: 'ms',
    better: 'lower',
    baselineName: `${STOCK}, processor time of provide and find in all nodes`,
    runs: 5,
    target: { speedupMin: 5 },
    open: async () => {
      const network = { nodes: 100, work: 'processor', operations: 2 } as const
      return await openDhtNetworks({ ...network, side: 'ours' }, { ...network, side: 'stock' })
    }
  },
  {
    name: 'find-providers-recall',
    unit: 'of 20',
    better: 'higher',
    baselineName: `${STOCK}, nearest peers found`,
    runs: 5,
    target: { speedupMin: 0.98 },
    open: async () => {
      const network = { nodes: 100, work: 'recall', operations: 10 } as const
      return await openDhtNetworks({ ...network, side: 'ours' }, { ...network, side: 'stock', operations: 2 })
    }
  }
]
