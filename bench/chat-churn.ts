import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { startProcess, type RunningProcess } from '../test/support/process.ts'
import {
  converse,
  openRoom,
  PROCESSES,
  READY_TIMEOUT_MS,
  ROOM,
  wordsOf,
  type OpenRoom
} from './chat-hosts.ts'
import { readChatLog, returnsOf, type MemberLog } from './chat-log.ts'
import { median, type Benchmark } from './harness.ts'

const MEMBERS = Number(process.env['CHAT_MEMBERS'] ?? 50)
/** So many of the members, three of ten, are killed and started again every minute, one after the other. */
const RESTARTING = Math.round(MEMBERS * 0.3)
const MINUTES = Number(process.env['CHAT_MINUTES'] ?? 3)
const PER_SECOND = 2
/** When nothing new came to anybody for so long, who came back will not catch up any more. How long each took is measured. */
const QUIET_MS = 60_000
const CATCH_UP_MS_MAX = 240_000

let said = ''

/**
 * `chat-churn`: a room in which three of ten members, in processes of their own, are each killed (SIGKILL) once a minute and
 * started again at once: how long the slowest took from the start of its process until it had all that was said before; it
 * fails when anybody misses a text or has one twice.
 */
export const benchmarks: readonly Benchmark[] = [
  {
    ...{ name: 'chat-churn', unit: 's', better: 'lower', runs: 1, target: { oursMax: 60 } },
    baselineName: 'the median of all returns',
    get setting() {
      return said
    },
    open: async () => {
      let last: readonly number[] = []
      let isWarm = false
      return await Promise.resolve({
        // The unmeasured run is none: whoever returns is as cold as can be.
        ours: async () => {
          if (isWarm) last = await churn()
          isWarm = true
          return Math.max(...last)
        },
        baseline: async () => await Promise.resolve(last.length === 0 ? NaN : median(last)),
        [Symbol.asyncDispose]: async () => await Promise.resolve()
      })
    }
  }
]

/** Seconds that each return took. */
async function churn(): Promise<readonly number[]> {
  await using stack = new AsyncDisposableStack()
  const opened = await openRoom(stack, { members: MEMBERS - RESTARTING, isLogged: true })
  const members = Array.from({ length: RESTARTING }, (_, index) => createMember(opened, index))
  stack.defer(async () => {
    await Promise.all(members.map(async (member) => await member.kill()))
  })
  for (const member of members) await member.start()
  const talking = converse(opened, { seconds: MINUTES * 60, perSecond: PER_SECOND })
  talking.catch(() => undefined)
  await restartAll(members)
  const talked = await talking
  const logs = await logsOnceComplete(opened, members)
  const [lacking] = missing(logs)
  if (lacking !== undefined) throw new Error(`expected everybody to have every text; ${lacking}`)
  const twice = logs.filter(({ repeated }) => repeated.length > 0)
  if (twice.length > 0) throw new Error(`expected each text once, got ${JSON.stringify(twice[0]?.repeated)}`)
  const returns = logs.flatMap((log) => returnsOf(log, logs))
  const texts = new Set(logs.flatMap(({ said: own }) => [...own.keys()])).size
  said = `${MEMBERS - RESTARTING} nodes in ${PROCESSES} processes and ${RESTARTING} in their own, ${returns.length} returns in ${MINUTES} min, `
  said += `${texts} texts with everybody, none twice; to those who stayed: ${wordsOf(talked)}`
  return returns
}

/** Kills one after the other, at equal intervals whatever the others are at, and starts each again. */
async function restartAll(members: readonly Member[]): Promise<void> {
  const startedAtMs = performance.now()
  const everyMs = 60_000 / members.length
  const restarts: Promise<void>[] = []
  for (let count = 0; count < MINUTES * members.length; count++) {
    await sleep(Math.max(startedAtMs + count * everyMs - performance.now(), 0))
    const member = members[count % members.length]
    if (member === undefined) break
    const restart = restarts[count - members.length] ?? Promise.resolve()
    const next = restart.then(member.kill).then(member.start)
    next.catch(() => undefined)
    restarts.push(next)
  }
  await Promise.all(restarts)
}

async function logsOnceComplete(opened: OpenRoom, members: readonly Member[]): Promise<readonly MemberLog[]> {
  const deadline = performance.now() + CATCH_UP_MS_MAX
  let [heard, quietSinceMs] = [0, performance.now()]
  const files = [...opened.logs, ...members.map(({ log }) => log)]
  for (;;) {
    const logs = (await Promise.all(files.map(async (file) => await readChatLog(file)))).flat()
    const count = logs.reduce((sum, log) => sum + log.heard.size, 0)
    if (count !== heard) [heard, quietSinceMs] = [count, performance.now()]
    const isOver = performance.now() >= Math.min(deadline, quietSinceMs + QUIET_MS)
    if (isOver || missing(logs).length === 0) return logs
    await sleep(1_000)
  }
}

/** Who lacks what. */
function missing(logs: readonly MemberLog[]): readonly string[] {
  const texts = new Set(logs.flatMap(({ said: own }) => [...own.keys()]))
  return logs.flatMap(({ name, heard }) =>
    [...texts].filter((text) => !heard.has(text)).map((text) => `${name} lacks ${text}`)
  )
}

interface Member {
  readonly log: string
  readonly start: () => Promise<void>
  readonly kill: () => Promise<void>
}

function createMember({ home, bootstrap }: OpenRoom, index: number): Member {
  const log = join(home.folder, `member-${index}.log`)
  let life = 0
  let running: RunningProcess | undefined
  return {
    log,
    start: async () => {
      const folder = join(home.folder, `member-${index}`)
      const args = [folder, bootstrap, ROOM, log, `r${index}-${++life}`]
      const program = join(import.meta.dirname, 'chat-member.ts')
      running = await startProcess({ command: process.execPath, args: [program, ...args], env: home.env })
      await running.event('ready', { timeoutMs: READY_TIMEOUT_MS })
    },
    kill: async () => {
      running?.signal('SIGKILL')
      await running?.ended
      running = undefined
    }
  }
}
