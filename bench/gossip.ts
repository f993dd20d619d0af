import { join } from 'node:path'
import { startProcess } from '../test/support/process.ts'
import type { Benchmark, Measure } from './harness.ts'

const RUN_TIMEOUT_MS = 240_000

/** Processor time of one delivery among fifty nodes at ten messages a second; every message has to reach everybody. */
export const benchmarks: readonly Benchmark[] = [
  {
    name: 'gossip',
    unit: 'ms',
    better: 'lower',
    baselineName: 'stock gossipsub, its scoring fixed',
    runs: 5,
    target: { speedupMin: 2 },
    open: () =>
      Promise.resolve({
        ours: crowd('ours'),
        baseline: crowd('stock'),
        [Symbol.asyncDispose]: () => Promise.resolve()
      })
  }
]

/** A crowd of its own for each measurement, so that nobody's heartbeat is counted with another's. */
function crowd(side: 'ours' | 'stock'): Measure {
  return async () => {
    const args = [join(import.meta.dirname, 'gossip-crowd.ts'), side]
    await using running = await startProcess({ command: process.execPath, args })
    const done = await running.event('done', { timeoutMs: RUN_TIMEOUT_MS })
    const { cpuMs, deliveries, expected } = done as Record<string, number>
    // stock loses what is said before its mesh is there; of ours nothing may be lost
    if (side === 'ours' && deliveries !== expected) {
      throw new Error(`expected ${String(expected)} deliveries, got ${String(deliveries)}`)
    }
    return Number(cpuMs) / Number(deliveries)
  }
}
