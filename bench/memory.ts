import { setTimeout as sleep } from 'node:timers/promises'
import type { Benchmark, Measure } from './harness.ts'
import { createNodeRunner, proportionalSetSizeMiB, type NodeRunner } from './node-process.ts'

/** How long a node is left alone before it is weighed. */
const IDLE_MS = 5_000

/** The proportional set size of a node that listens and has nothing to do. */
export const benchmarks: readonly Benchmark[] = [
  {
    name: 'memory',
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
        ours: weigh(bundle),
        baseline: weigh(sources),
        [Symbol.asyncDispose]: () => opened.disposeAsync()
      }
    }
  }
]

function weigh(runner: NodeRunner): Measure {
  return async () => {
    await using running = await runner.start()
    await sleep(IDLE_MS)
    return await proportionalSetSizeMiB(running.pid)
  }
}
