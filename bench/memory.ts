import { setTimeout as sleep } from 'node:timers/promises'
import type { Benchmark, Measure } from './harness.ts'
import { createNodeRunner, memoryOf, type NodeRunner, type ProcessMemory } from './node-process.ts'

/** How long a node is left alone before it is weighed. */
const IDLE_MS = 5_000

/**
 * The memory of a node that listens and has nothing to do. Its proportional set size shrinks with every other process
 * that runs the same Node; `memory-alone` counts all of what it shares.
 */
export const benchmarks: readonly Benchmark[] = [
  createBenchmark('memory', 'proportional'),
  createBenchmark('memory-alone', 'resident')
]

function createBenchmark(name: string, kind: keyof ProcessMemory): Benchmark {
  return {
    name,
    unit: 'MiB',
    better: 'lower',
    baselineName: 'the unbundled sources',
    runs: 5,
    target: { oursMax: 100 },
    missing: async () => (process.platform === 'linux' ? undefined : 'not Linux: there is no smaps_rollup'),
    open: async () => {
      await using stack = new AsyncDisposableStack()
      const bundle = stack.use(await createNodeRunner('bundle'))
      const sources = stack.use(await createNodeRunner('sources'))
      const opened = stack.move()
      return {
        ours: weigh(bundle, kind),
        baseline: weigh(sources, kind),
        [Symbol.asyncDispose]: () => opened.disposeAsync()
      }
    }
  }
}

function weigh(runner: NodeRunner, kind: keyof ProcessMemory): Measure {
  return async () => {
    await using running = await runner.start()
    await sleep(IDLE_MS)
    const memory = await memoryOf(running.pid)
    return memory[kind]
  }
}
