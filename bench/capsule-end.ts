import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createRig, rigMissing, SPINS } from './capsule-rig.ts'
import type { Benchmark } from './harness.ts'

/** How long an endless loop may run, by the clock and by the processor's. */
const LIMIT_MS = 1000

/**
 * How late an endless loop is gone, counted from its deadline: by the clock, and (in `capsule-end-cpu`) by processor time,
 * whose deadline is no earlier than the same time by the clock.
 */
export const benchmarks: readonly Benchmark[] = [
  createBenchmark('capsule-end', { wallMsMax: LIMIT_MS }),
  createBenchmark('capsule-end-cpu', { cpuSecondsMax: LIMIT_MS / 1000 })
]

function createBenchmark(name: string, limits: { wallMsMax?: number; cpuSecondsMax?: number }): Benchmark {
  return {
    name,
    unit: 'ms',
    better: 'lower',
    baselineName: 'a timer and SIGKILL for node -e "for(;;);"',
    runs: 10,
    target: { oursMax: 20 },
    missing: rigMissing,
    open: async () => {
      const rig = await createRig()
      return {
        ours: async () => {
          const startedMs = performance.now()
          const outcome = await rig.start(SPINS, { limits }).finished
          const lateMs = performance.now() - startedMs - LIMIT_MS
          if (outcome.kind !== 'error' || outcome.error.code !== 'ERR_CAPSULE_TIME_LIMIT') {
            throw new Error(`expected the loop to be ended at its limit, got ${JSON.stringify(outcome)}`)
          }
          await rig.pool.settled()
          return lateMs
        },
        baseline: async () => {
          const child = spawn(process.execPath, ['-e', 'for(;;);'], { stdio: 'ignore' })
          const startedMs = performance.now()
          setTimeout(() => child.kill('SIGKILL'), LIMIT_MS)
          await once(child, 'exit')
          return performance.now() - startedMs - LIMIT_MS
        },
        [Symbol.asyncDispose]: () => rig[Symbol.asyncDispose]()
      }
    }
  }
}
