import type { Benchmark, Measure } from './harness.ts'
import { createNodeRunner, type NodeRunner } from './node-process.ts'

/** From the command to its "listening" line, on a data folder that exists: what a person waits for. */
export const benchmarks: readonly Benchmark[] = [
  {
    name: 'startup',
    unit: 'ms',
    better: 'lower',
    baselineName: 'the unbundled sources',
    runs: 10,
    target: { speedupMin: 1 / 0.35 },
    open: async () => {
      await using stack = new AsyncDisposableStack()
      const bundle = stack.use(await createNodeRunner('bundle'))
      const sources = stack.use(await createNodeRunner('sources'))
      const opened = stack.move()
      return {
        ours: timeToListening(bundle),
        baseline: timeToListening(sources),
        [Symbol.asyncDispose]: () => opened.disposeAsync()
      }
    }
  }
]

function timeToListening(runner: NodeRunner): Measure {
  return async () => {
    const startedAt = performance.now()
    await using _running = await runner.start()
    return performance.now() - startedAt
  }
}
