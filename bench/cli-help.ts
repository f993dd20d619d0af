import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { createTemporaryFolder } from '../test/support/temporary-folder.ts'
import type { Benchmark, Measure } from './harness.ts'

const ROOT = join(import.meta.dirname, '..')

/** What every command pays before it begins: the launcher, Node, the parser. Against a Node that does nothing. */
export const benchmarks: readonly Benchmark[] = [
  {
    name: 'cli-help',
    unit: 'ms',
    better: 'lower',
    baselineName: 'node -e 0',
    runs: 40,
    target: { speedupMin: 1 / 2.5 },
    open: async () => {
      const cache = await createTemporaryFolder()
      const env = { PATH: process.env['PATH'], HOME: cache.path, XDG_CACHE_HOME: cache.path }
      return {
        ours: timeOf(join(ROOT, 'elastos'), ['--help'], env),
        baseline: timeOf(process.execPath, ['-e', '0'], env),
        [Symbol.asyncDispose]: () => cache[Symbol.asyncDispose]()
      }
    }
  }
]

function timeOf(command: string, args: readonly string[], env: NodeJS.ProcessEnv): Measure {
  return async () => {
    const startedAt = performance.now()
    const { status, stderr } = spawnSync(command, args, { env, stdio: ['ignore', 'ignore', 'pipe'] })
    const passedMs = performance.now() - startedAt
    if (status !== 0) throw new Error(`${command} ended with ${String(status)}: ${stderr.toString()}`)
    return passedMs
  }
}
