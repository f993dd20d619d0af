import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { createCliHome, type CliHome } from '../test/support/cli.ts'
import { startProcess, type RunningProcess } from '../test/support/process.ts'
import { startSeed } from './chat.ts'
import { readChatLog, returnsOf, type MemberLog } from './chat-log.ts'
import type { Benchmark } from './harness.ts'

const MEMBERS = 50
const READY_TIMEOUT_MS = 170_000
/** `chat-room`: a conversation of so many seconds and messages a second. */
const TALK_S = 10
const PER_SECOND = 10
/** `chat-churn`: so many of the members are killed and started again every minute, one after the other. */
const RESTARTING = 15
const CHURN_S = 60
const CHURN_PER_SECOND = 2
/** How long the last one that came back has to catch up. */
const CATCH_UP_MS = 60_000

/**
 * `chat-room`: 50 whole nodes in one room on loopback, in one process, ten messages a second: how long a message takes to a
 * member, 99 of 100; it fails when one is lost or comes twice. `chat-churn`: 35 of them and 15 in processes of their own,
 * each of which is killed (SIGKILL) and started again once a minute: how long the slowest takes from its return until it
 * has all that was said before; it fails when anybody misses a text or has one twice.
 */
export const benchmarks: readonly Benchmark[] = [
  {
    ...{ name: 'chat-room', unit: 'ms', better: 'lower', runs: 3, target: { oursMax: 500 } },
    baselineName: 'the median of the same messages',
    open: async () => {
      await using stack = new AsyncDisposableStack()
      const { crowd } = await openRoom(stack, { members: MEMBERS, log: false })
      let last: Talked | undefined
      const talk = async (): Promise<Talked> => (last = await converse(crowd, TALK_S, PER_SECOND))
      const opened = stack.move()
      return {
        ours: async () => (await talk()).p99Ms,
        baseline: async () => (last ?? (await talk())).p50Ms,
        [Symbol.asyncDispose]: () => opened.disposeAsync()
      }
    }
  },
  {
    ...{ name: 'chat-churn', unit: 's', better: 'lower', runs: 1, target: { oursMax: 60 } },
    baselineName: 'the median of all returns',
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
        baseline: async () => await Promise.resolve(last.toSorted((a, b) => a - b)[last.length >> 1] ?? NaN),
        [Symbol.asyncDispose]: async () => await Promise.resolve()
      })
    }
  }
]

interface Talked {
  readonly p50Ms: number
  readonly p99Ms: number
}

interface OpenRoom {
  readonly home: CliHome
  readonly crowd: RunningProcess
  readonly bootstrap: string
  readonly log: string
}

const ROOM = 'bench'

async function openRoom(
  stack: AsyncDisposableStack,
  { members, log: isLogged }: { readonly members: number; readonly log: boolean }
): Promise<OpenRoom> {
  const home = stack.use(await createCliHome())
  const bootstrap = await startSeed(home, stack)
  const log = join(home.folder, 'stable.log')
  const args = [join(import.meta.dirname, 'chat-members.ts'), home.folder, String(members), bootstrap, ROOM]
  const command = { command: process.execPath, args: [...args, isLogged ? log : ''], env: home.env }
  const crowd = stack.use(await startProcess(command))
  await crowd.event('ready', { timeoutMs: READY_TIMEOUT_MS })
  return { home, crowd, bootstrap, log }
}

async function converse(crowd: RunningProcess, seconds: number, perSecond: number): Promise<Talked> {
  crowd.write(`${seconds} ${perSecond}\n`)
  const talked = await crowd.event('talked', { timeoutMs: READY_TIMEOUT_MS })
  if (talked['lost'] !== 0 || talked['repeated'] !== 0) {
    throw new Error(`expected each message once, got ${JSON.stringify(talked)}`)
  }
  return talked as unknown as Talked
}

/** Seconds that each return took. */
async function churn(): Promise<readonly number[]> {
  await using stack = new AsyncDisposableStack()
  const opened = await openRoom(stack, { members: MEMBERS - RESTARTING, log: true })
  const members = Array.from({ length: RESTARTING }, (_, index) => createMember(opened, index))
  stack.defer(async () => {
    await Promise.all(members.map(async (member) => await member.kill()))
  })
  for (const member of members) await member.start()
  const talking = converse(opened.crowd, CHURN_S, CHURN_PER_SECOND)
  talking.catch(() => undefined)
  for (const member of members) {
    await Promise.all([sleep((CHURN_S * 1_000) / RESTARTING), member.kill().then(member.start)])
  }
  await talking
  const deadline = performance.now() + CATCH_UP_MS
  let logs = await readLogs(opened, members)
  while (missing(logs).length > 0 && performance.now() < deadline) {
    await sleep(1_000)
    logs = await readLogs(opened, members)
  }
  const [lacking] = missing(logs)
  if (lacking !== undefined) throw new Error(`expected everybody to have every text; ${lacking}`)
  const twice = logs.filter(({ repeated }) => repeated.length > 0)
  if (twice.length > 0) throw new Error(`expected each text once, got ${JSON.stringify(twice[0]?.repeated)}`)
  return logs.flatMap((log) => returnsOf(log, logs))
}

async function readLogs(
  opened: OpenRoom,
  members: readonly { readonly log: string }[]
): Promise<readonly MemberLog[]> {
  const files = [opened.log, ...members.map(({ log }) => log)]
  return (await Promise.all(files.map(async (file) => await readChatLog(file)))).flat()
}

/** Who lacks what. */
function missing(logs: readonly MemberLog[]): readonly string[] {
  const texts = new Set(logs.flatMap(({ said }) => [...said.keys()]))
  return logs.flatMap(({ name, heard }) =>
    [...texts].filter((text) => !heard.has(text)).map((text) => `${name} lacks ${text}`)
  )
}

function createMember({ home, bootstrap }: OpenRoom, index: number) {
  const log = join(home.folder, `member-${index}.log`)
  let life = 0
  let running: RunningProcess | undefined
  return {
    log,
    start: async (): Promise<void> => {
      const folder = join(home.folder, `member-${index}`)
      const args = [folder, bootstrap, ROOM, log, `r${index}-${++life}`]
      const program = join(import.meta.dirname, 'chat-member.ts')
      running = await startProcess({ command: process.execPath, args: [program, ...args], env: home.env })
      await running.event('ready', { timeoutMs: READY_TIMEOUT_MS })
    },
    kill: async (): Promise<void> => {
      running?.signal('SIGKILL')
      await running?.ended
      running = undefined
    }
  }
}
