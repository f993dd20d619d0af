import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdir, readFile } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { compileScript } from '../test/support/script-capsule.ts'
import { createRig, firstOutput, rigMissing, WAITS } from './capsule-rig.ts'
import type { Benchmark } from './harness.ts'

/** How long a capsule is left alone before it is weighed. */
const IDLE_MS = 1000

/** What a waiting capsule takes that nobody shares with it, bubblewrap included. */
export const benchmarks: readonly Benchmark[] = [
  createBenchmark('capsule-memory', () => Promise.resolve(WAITS)),
  createBenchmark('capsule-memory-script', scriptCapsule)
]

function createBenchmark(name: string, program: () => Promise<Uint8Array>): Benchmark {
  return {
    name,
    unit: 'MiB',
    better: 'lower',
    baselineName: 'node that waits',
    runs: 5,
    target: { oursMax: 20 },
    missing: rigMissing,
    open: async () => {
      const rig = await createRig()
      const module = await program()
      return {
        ours: async () => {
          const { capsule, afterMs } = firstOutput(performance.now(), (onOutput) =>
            rig.start(module, { onOutput })
          )
          await using running = capsule
          await afterMs
          return await weigh(running.process.pid)
        },
        baseline: async () => {
          const child = spawn(process.execPath, ['-e', 'process.stdin.resume()'], { stdio: 'pipe' })
          try {
            return await weigh(child.pid)
          } finally {
            child.kill('SIGKILL')
            await once(child, 'exit')
          }
        },
        [Symbol.asyncDispose]: () => rig[Symbol.asyncDispose]()
      }
    }
  }
}

/** A capsule written in TypeScript that says a word and then waits. */
async function scriptCapsule(): Promise<Uint8Array> {
  return await compileScript(
    `capsule.write('ready')\nfor await (const line of capsule.lines()) capsule.write(line)\n`
  )
}

export async function weigh(pid: number | undefined): Promise<number> {
  if (pid === undefined) throw new Error('expected a process, found none')
  await sleep(IDLE_MS)
  const family = [pid, ...(await childrenOf(pid))]
  const kibibytes = await Promise.all(family.map(privateKibibytes))
  return kibibytes.reduce((sum, value) => sum + value, 0) / 1024
}

async function privateKibibytes(pid: number): Promise<number> {
  const rollup = await readFile(`/proc/${pid}/smaps_rollup`, 'utf8')
  const lines = [...rollup.matchAll(/^Private_(?:Clean|Dirty):\s+(\d+) kB$/gm)]
  return lines.reduce((sum, line) => sum + Number(line[1]), 0)
}

/** Every process below `pid`. */
async function childrenOf(pid: number): Promise<number[]> {
  const all = (await readdir('/proc')).map(Number).filter((number) => Number.isInteger(number))
  const found: number[] = []
  for (const candidate of all) {
    const stat = await readFile(`/proc/${candidate}/stat`, 'utf8').catch(() => '')
    if (Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]) === pid) found.push(candidate)
  }
  return [...found, ...(await Promise.all(found.map(childrenOf))).flat()]
}
