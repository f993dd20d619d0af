import { setTimeout as sleep } from 'node:timers/promises'
import { createCliHome, type CliHome } from '../test/support/cli.ts'
import { descendantsOf } from '../test/support/descendants.ts'
import type { RunningProcess } from '../test/support/process.ts'
import { rigMissing } from './capsule-rig.ts'
import type { Benchmark } from './harness.ts'
import { memoryOf, type ProcessMemory } from './node-process.ts'

/** How long the chat is left alone before all of it is weighed. */
const IDLE_MS = 10_000

/**
 * What a node takes while somebody sits in the chat capsule and nobody says anything: its own process, the sandboxes of the
 * chat, of its peer provider and of the shell, and the process that waits for the next capsule. Its proportional set size
 * shrinks with every other process that runs the same Node; `memory-chat-alone` counts what the tree shares within itself
 * once and what it shares with others in full.
 */
export const benchmarks: readonly Benchmark[] = [
  createBenchmark('memory-chat', (memory) => sumOf(memory, ({ proportional }) => proportional)),
  createBenchmark(
    'memory-chat-alone',
    (memory) =>
      sumOf(memory, (one) => one.own) + Math.max(...memory.map(({ resident, own }) => resident - own))
  )
]

function createBenchmark(name: string, total: (memory: readonly ProcessMemory[]) => number): Benchmark {
  return {
    name,
    unit: 'MiB',
    better: 'lower',
    baselineName: 'the node without capsules',
    runs: 3,
    target: { oursMax: 250 },
    missing: rigMissing,
    open: async () => {
      const home = await createCliHome()
      return {
        ours: async () => total(await weigh(home, { isChatting: true })),
        baseline: async () => total(await weigh(home, { isChatting: false })),
        [Symbol.asyncDispose]: () => home[Symbol.asyncDispose]()
      }
    }
  }
}

async function weigh(home: CliHome, { isChatting }: { isChatting: boolean }): Promise<ProcessMemory[]> {
  await using node = await home.start(['node', 'start', '--json', '--no-mdns', '--shell', 'auto'])
  await node.event('listening', { timeoutMs: 60_000 })
  await using chat = isChatting ? await startChat(home) : undefined
  await sleep(IDLE_MS)
  const memory = await Promise.all(
    [node, ...(await descendantsOf(node.pid))].map(async ({ pid }) => await memoryOf(pid))
  )
  chat?.endInput()
  await chat?.ended
  return memory
}

function sumOf(memory: readonly ProcessMemory[], part: (one: ProcessMemory) => number): number {
  return memory.reduce((sum, one) => sum + part(one), 0)
}

async function startChat(home: CliHome): Promise<RunningProcess> {
  const chat = await home.start(['capsule', 'run', 'shipped/chat', '--no-start', '--', 'garden', 'ann'])
  await chat.stderr.line((line) => line.includes('you are in garden'), { timeoutMs: 60_000 })
  return chat
}
