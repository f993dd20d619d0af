import { readFile } from 'node:fs/promises'
import { createCliHome } from '../test/support/cli.ts'
import type { RunningProcess } from '../test/support/process.ts'

/** What a person runs, or the sources as they are, without any cache of compiled code. */
export type Variant = 'bundle' | 'sources'

/** What makes the launcher run a variant. */
export const VARIANT_ENVIRONMENT: Readonly<Record<Variant, NodeJS.ProcessEnv>> = {
  bundle: {},
  sources: { ELASTOS_SOURCES: '1', NODE_DISABLE_COMPILE_CACHE: '1' }
}

/** A node of one variant that can be started again and again on the same data folder. */
export interface NodeRunner extends AsyncDisposable {
  /** Resolves once the node says that it listens. */
  start(): Promise<RunningProcess>
}

const START = ['node', 'start', '--json', '--listen', '/ip4/127.0.0.1/tcp/0']

/** Makes a data folder of its own for nodes of one variant. */
export async function createNodeRunner(variant: Variant): Promise<NodeRunner> {
  const home = await createCliHome()
  return {
    start: async () => {
      const running = await home.start(START, { env: VARIANT_ENVIRONMENT[variant] })
      try {
        await running.event('listening', { timeoutMs: 60_000 })
        return running
      } catch (error) {
        await running[Symbol.asyncDispose]()
        throw error
      }
    },
    [Symbol.asyncDispose]: () => home[Symbol.asyncDispose]()
  }
}

/** What a process takes of the machine's memory, in MiB. */
export interface ProcessMemory {
  /** What it has for itself and its part of what it shares: the proportional set size. */
  readonly proportional: number
  /** What it shares with nobody. */
  readonly own: number
  /** What it would take were it the only one to use this Node and these libraries: the resident set size. */
  readonly resident: number
}

/** Weighs a process. Linux. */
export async function memoryOf(pid: number): Promise<ProcessMemory> {
  const rollup = await readFile(`/proc/${pid}/smaps_rollup`, 'utf8')
  const read = (name: string): number => {
    const kilobytes = new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(rollup)?.[1]
    if (kilobytes === undefined) throw new Error(`expected a ${name} line for process ${pid}, found none`)
    return Number(kilobytes) / 1024
  }
  const own = read('Private_Clean') + read('Private_Dirty')
  return { proportional: read('Pss'), own, resident: read('Rss') }
}
