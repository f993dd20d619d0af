import { once } from 'node:events'
import { connect } from 'node:net'
import { createInterface } from 'node:readline'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { CONTROL_VERSION } from '#contracts'
import { startProcess } from './process.ts'
import { createTemporaryFolder } from './temporary-folder.ts'

/** How many capsules run beside each other, and for how long once all are up. */
export interface CrowdInit {
  /** Capsules that compute for ever. */
  readonly spinning: number
  /** Capsules that write to standard output for ever. */
  readonly flooding: number
  /** Capsules that are asked something once a second. */
  readonly answering: number
  readonly durationMs: number
  /** The guest script; that of the sources when absent. */
  readonly guestEntry?: string
}

/** What came of a crowd. Times in milliseconds. */
export interface CrowdReport {
  /** Each answering capsule: calls that were made, and those answered, in their order. */
  readonly asked: readonly number[]
  readonly answered: readonly number[]
  /** Answers that came in another order than the calls, or to none. */
  readonly misplaced: number
  readonly answerMs: Spread
  /** What each of the flooding capsules got rid of. */
  readonly floodedBytes: readonly number[]
  /** Capsules that ended by themselves, by their codes. */
  readonly ended: Readonly<Record<string, number>>
  /** Calls of `node.status` from another process, by a socket, while all ran. */
  readonly statusMs: Spread
  /** From the first start until every capsule was up. */
  readonly upMs: number
}

/** Some measurements. */
export interface Spread {
  readonly count: number
  readonly p50: number
  readonly p99: number
  readonly max: number
}

const HOST = fileURLToPath(new URL('./capsule-crowd-host.ts', import.meta.url))
const STATUS_PERIOD_MS = 50
const UP_MS_MAX = 300_000

/** Runs a crowd of capsules in one node, in a process of its own, and asks that node for its status meanwhile. */
export async function runCrowd(init: CrowdInit): Promise<CrowdReport> {
  await using folder = await createTemporaryFolder()
  const dataFolder = join(folder.path, 'node')
  const facts = JSON.stringify({ ...init, dataFolder })
  await using host = await startProcess({ command: process.execPath, args: [HOST, facts] })
  const { upMs } = await host.event('up', { timeoutMs: UP_MS_MAX })
  const ended = host.event('done', { timeoutMs: init.durationMs + UP_MS_MAX })
  const statusMs = await askStatus(join(dataFolder, 'control.sock'), init.durationMs)
  const { report } = await ended
  await host.ended
  return {
    ...(report as Omit<CrowdReport, 'statusMs' | 'upMs'>),
    statusMs: spreadOf(statusMs),
    upMs: Number(upMs)
  }
}

/** The middle, the 99th percentile and the greatest of some measurements; zeros when there are none. */
export function spreadOf(values: readonly number[]): Spread {
  const sorted = values.toSorted((a, b) => a - b)
  const at = (share: number): number => {
    return Math.round(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0)
  }
  return { count: sorted.length, p50: at(0.5), p99: at(0.99), max: at(1) }
}

async function askStatus(path: string, durationMs: number): Promise<number[]> {
  const socket = connect(path)
  await once(socket, 'connect')
  const lines = createInterface({ input: socket })[Symbol.asyncIterator]()
  const taken: number[] = []
  let isFirst = true
  const endMs = performance.now() + durationMs
  for (let id = 1; performance.now() < endMs; id += 1) {
    const askedMs = performance.now()
    const call = { jsonrpc: '2.0', id, method: 'node.status', params: {}, version: CONTROL_VERSION }
    socket.write(`${JSON.stringify(call)}\n`)
    const { value, done } = await lines.next()
    // The node may be through a little sooner than who asks it; that it was through is what `done` says.
    if (done === true) break
    const { result } = JSON.parse(value) as { result?: unknown }
    if (result === undefined) throw new Error(`expected the status of the node, got ${value}`)
    // The first call of a method loads its code.
    if (!isFirst) taken.push(performance.now() - askedMs)
    isFirst = false
    await sleep(STATUS_PERIOD_MS)
  }
  socket.destroy()
  return taken
}
