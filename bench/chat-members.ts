import { appendFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Room } from '#rooms'
import { builtNode } from './built-node.ts'

/**
 * A process of the benchmarks `chat-room` and `chat-churn`: `chat-members.ts TASK`, a {@link MembersTask} as JSON. Whole nodes
 * with their own data folders and sockets that are in one room. A line on its standard input, a {@link TalkTask} as JSON, has them talk
 * in turn, and is answered by a line once everybody heard everything; what each hears is written to the log. Ends with its standard
 * input.
 */

/** Which members a process has. */
export interface MembersTask {
  readonly folder: string
  readonly bootstrap: string
  readonly room: string
  /** The number of the first. */
  readonly from: number
  readonly count: number
  /** How many there are in all processes: each has met so many before they are ready. */
  readonly total: number
  /** A file for what they hear; none when empty. */
  readonly log: string
}

/** A conversation, of which each process has its part. */
export interface TalkTask {
  readonly run: number
  readonly seconds: number
  readonly perSecond: number
  /** Of `of` processes this one says every `of`th text, from this one on. */
  readonly part: number
  readonly of: number
}

/** What the members of a process heard of a conversation. */
export interface Talk {
  readonly run: number
  /** Deliveries that are wanting when nothing comes any more. */
  readonly lost: number
  /** Deliveries beyond the first. */
  readonly repeated: number
  /** How many deliveries took so many milliseconds, rounded up. */
  readonly delays: Readonly<Record<string, number>>
  /** What this process took of one core meanwhile. */
  readonly cores: number
}

const STARTS_AT_A_TIME = 5
const MEET_MS_MAX = 120_000
/** When nothing new came for so long, what is wanting is lost; on a busy machine the last may come late. */
const QUIET_MS = 30_000
/** The same however much still comes. */
export const HEARD_MS_MAX = 240_000
/** How long is waited for second copies once everybody has everything. */
const COPIES_MS = 2_000
const POLL_MS = 100

interface Seat {
  readonly name: string
  readonly room: Room
  /** How often each text came. */
  readonly heard: Map<string, number>
}

/** Delays of the conversation that is on, by their milliseconds. */
type Delays = Map<number, number>

async function main([task = '{}']: readonly string[]): Promise<void> {
  const { folder, bootstrap, room, from, count, total, log } = JSON.parse(task) as MembersTask
  const { startNode } = await builtNode()
  await using stack = new AsyncDisposableStack()
  const seats: Seat[] = []
  const delays: Delays = new Map()
  while (seats.length < count) {
    const some = Math.min(STARTS_AT_A_TIME, count - seats.length)
    const starting = Array.from({ length: some }, async (_, index) => {
      const name = `stable-${from + seats.length + index}`
      const node = await startNode({
        ...{ dataFolder: join(folder, name), reach: 'local', listen: ['/ip4/127.0.0.1/tcp/0'] },
        ...{ bootstrap: [bootstrap], powers: { isControlled: false } }
      })
      stack.use(node)
      const joined = await node.rooms.join({ room, nick: name })
      const seat = { name, room: joined, heard: new Map<string, number>() }
      void listen(seat, delays, log)
      return seat
    })
    seats.push(...(await Promise.all(starting)))
  }
  const { user, system } = process.cpuUsage()
  await until(() => seats.every((seat) => seat.room.members().length >= total), MEET_MS_MAX)
  const membersMin = Math.min(...seats.map((seat) => seat.room.members().length))
  console.log(JSON.stringify({ event: 'ready', membersMin, startCpuMs: (user + system) / 1_000 / count }))
  for await (const line of createInterface(process.stdin)) {
    const talk = await converse(seats, delays, JSON.parse(line) as TalkTask)
    console.log(JSON.stringify({ event: 'talked', ...talk }))
  }
}

/** A clock that all processes of this machine share, in milliseconds. */
function sharedMs(): number {
  return Number(process.hrtime.bigint() / 1_000n) / 1_000
}

async function listen(seat: Seat, delays: Delays, log: string): Promise<void> {
  for await (const event of seat.room.events()) {
    if (event.type !== 'message') continue
    const [name = '', saidAtMs] = event.text.split(' ')
    if (saidAtMs !== undefined && !event.isSelf) {
      const delayMs = Math.ceil(sharedMs() - Number(saidAtMs))
      delays.set(delayMs, (delays.get(delayMs) ?? 0) + 1)
    }
    seat.heard.set(name, (seat.heard.get(name) ?? 0) + 1)
    const line = ['heard', name, event.index, Date.now(), event.isSelf, seat.name]
    if (log !== '') appendFileSync(log, `${JSON.stringify(line)}\n`)
  }
}

async function converse(seats: readonly Seat[], delays: Delays, task: TalkTask): Promise<Talk> {
  const { run, seconds, perSecond, part, of } = task
  delays.clear()
  const texts = Array.from({ length: seconds * perSecond }, (_, index) => `${run}-${index}`)
  const before = process.cpuUsage()
  const startedAtMs = performance.now()
  const beganAtMs = sharedMs()
  const dueAtMs = (index: number): number => beganAtMs + (index * 1_000) / perSecond
  for (let index = part; index < texts.length; index += of) {
    await sleep(Math.max(startedAtMs + (index * 1_000) / perSecond - performance.now(), 0))
    const seat = seats[Math.floor(index / of) % seats.length]
    // A text that the room refuses is one that is lost. It is late from when it was due, also where this process was.
    seat?.room.send(`${texts[index]} ${dueAtMs(index)}`).catch((error: unknown) => console.error(error))
  }
  const { user, system } = process.cpuUsage(before)
  const cores = (user + system) / 1_000 / (performance.now() - startedAtMs)
  await untilHeard(seats, texts)
  await sleep(COPIES_MS)
  const counts = seats.flatMap(({ heard }) => texts.map((text) => heard.get(text) ?? 0))
  return {
    ...{ run, cores, delays: Object.fromEntries(delays) },
    lost: counts.filter((times) => times === 0).length,
    // of the conversations before, too: a copy may come late
    repeated: seats.reduce((sum, { heard }) => sum + copiesIn(heard), 0)
  }
}

function copiesIn(heard: Seat['heard']): number {
  return heard.values().reduce((sum, times) => sum + times - 1, 0)
}

/** Waits until everybody has heard everything, or nothing comes any more. */
async function untilHeard(seats: readonly Seat[], texts: readonly string[]): Promise<void> {
  const count = (): number => seats.reduce((sum, { heard }) => sum + heard.size, 0)
  const isComplete = (): boolean => seats.every(({ heard }) => texts.every((text) => heard.has(text)))
  const deadline = performance.now() + HEARD_MS_MAX
  for (let before = -1; before !== count() && performance.now() < deadline;) {
    before = count()
    await until(() => count() !== before || isComplete(), QUIET_MS)
    if (isComplete()) return
  }
}

async function until(isSo: () => boolean, timeoutMs: number): Promise<void> {
  const deadline = performance.now() + timeoutMs
  while (!isSo() && performance.now() < deadline) await sleep(POLL_MS)
}

if (import.meta.main) await main(process.argv.slice(2))
