import { join } from 'node:path'
import { createCliHome, type CliHome } from '../test/support/cli.ts'
import { startProcess, type RunningProcess } from '../test/support/process.ts'
import { HEARD_MS_MAX, type MembersTask, type Talk, type TalkTask } from './chat-members.ts'
import { startSeed } from './chat.ts'

/** A room with members in a few processes: what `chat-room` and `chat-churn` share. */

/** Processes that share the members between them: as many as the machines that this is measured on have cores. */
export const PROCESSES = 2
/** The room everybody is in. */
export const ROOM = 'bench'
/** How long a process may take until its members know each other. */
export const READY_TIMEOUT_MS = 240_000
/** How long after a conversation all must have said what they heard: how late it came is measured, not forbidden. */
const TOLD_MS_MAX: number = HEARD_MS_MAX + 60_000

/** A room that is open. */
export interface OpenRoom {
  readonly home: CliHome
  readonly bootstrap: string
  readonly processes: readonly RunningProcess[]
  /** What the members of each process heard; none unless asked for. */
  readonly logs: readonly string[]
  /** Processor time that starting a node and joining took, the mean. */
  readonly startCpuMs: number
}

/** What all members heard of a conversation, none of it lost or repeated. */
export interface Talked {
  readonly texts: number
  readonly deliveries: number
  readonly p50Ms: number
  readonly p99Ms: number
  readonly maxMs: number
  /** Cores that all processes took together. */
  readonly cores: number
}

/** Starts a seed and the members, and waits until everybody knows everybody. */
export async function openRoom(
  stack: AsyncDisposableStack,
  { members, isLogged }: { readonly members: number; readonly isLogged: boolean }
): Promise<OpenRoom> {
  const created = stack.use(await createCliHome())
  const env = { ...created.env, NODE_COMPILE_CACHE: join(created.folder, 'cache', 'compiled') }
  const home = { ...created, env }
  const bootstrap = await startSeed(home, stack)
  const program = join(import.meta.dirname, 'chat-members.ts')
  const parts = Array.from({ length: PROCESSES }, (_, part) => Math.floor((part * members) / PROCESSES))
  const tasks = parts.map((from, part): MembersTask => {
    const count = (parts[part + 1] ?? members) - from
    const log = isLogged ? join(home.folder, `stable-${part}.log`) : ''
    return { folder: home.folder, bootstrap, room: ROOM, from, count, total: members, log }
  })
  const processes = await Promise.all(
    tasks.map(async (task) => {
      const args = [program, JSON.stringify(task)]
      return stack.use(await startProcess({ command: process.execPath, args, env }))
    })
  )
  const ready = await Promise.all(
    processes.map(async (one) => await one.event('ready', { timeoutMs: READY_TIMEOUT_MS }))
  )
  const fewest = Math.min(...ready.map(({ membersMin }) => Number(membersMin)))
  if (fewest < members) throw new Error(`expected ${members} members to know each other, one knows ${fewest}`)
  const startCpuMs = ready.reduce((sum, one) => sum + Number(one['startCpuMs']), 0) / ready.length
  const logs = tasks.map(({ log }) => log).filter((log) => log !== '')
  return { home, bootstrap, processes, logs, startCpuMs }
}

let runs = 0

/** Has the members talk. @throws when a text did not reach somebody, or reached somebody twice */
export async function converse(
  { processes }: OpenRoom,
  { seconds, perSecond }: { readonly seconds: number; readonly perSecond: number }
): Promise<Talked> {
  const run = ++runs
  const talks = await Promise.all(
    processes.map(async (one, part) => {
      const task: TalkTask = { run, seconds, perSecond, part, of: processes.length }
      one.write(`${JSON.stringify(task)}\n`)
      return await talked(one, run, seconds * 1_000 + TOLD_MS_MAX)
    })
  )
  const [lost, repeated] = [sum(talks.map((talk) => talk.lost)), sum(talks.map((talk) => talk.repeated))]
  const delays = talks
    .flatMap((talk) => Object.entries(talk.delays))
    .map(([ms, count]) => [Number(ms), count] as const)
  const deliveries = sum(delays.map(([, count]) => count))
  const result = {
    ...{ texts: seconds * perSecond, deliveries, cores: sum(talks.map(({ cores }) => cores)) },
    ...{ p50Ms: quantile(delays, 0.5), p99Ms: quantile(delays, 0.99), maxMs: quantile(delays, 1) }
  }
  if (lost + repeated === 0) return result
  throw new Error(
    `expected each text once with everybody: ${lost} lost, ${repeated} too many of ${JSON.stringify(result)}`
  )
}

/** In words, for the line that a benchmark prints. */
export function wordsOf({ texts, deliveries, p50Ms, p99Ms, maxMs, cores }: Talked): string {
  const delays = `p50 ${p50Ms} ms, p99 ${p99Ms} ms, max ${maxMs} ms`
  return `${texts} texts, ${deliveries} deliveries, none lost, none twice, ${delays}, ${cores.toFixed(2)} cores`
}

async function talked(one: RunningProcess, run: number, timeoutMs: number): Promise<Talk> {
  const isAnswer = (line: string): boolean => line.startsWith(`{"event":"talked","run":${run},`)
  const line = await one.stdout.line(isAnswer, { timeoutMs, context: () => one.stderr.text() })
  return JSON.parse(line) as Talk
}

/** The delay within which this share of the deliveries came, in milliseconds. */
function quantile(delays: readonly (readonly [ms: number, count: number])[], share: number): number {
  const sorted = delays.toSorted(([one], [other]) => one - other)
  let left = Math.ceil(share * sum(sorted.map(([, count]) => count)))
  for (const [ms, count] of sorted) {
    left -= count
    if (left <= 0) return ms
  }
  return NaN
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0)
}
