import { appendFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { startNode } from '#node'
import type { Room } from '#rooms'

/**
 * A process of the benchmarks `chat-room` and `chat-churn`: `chat-members.ts FOLDER COUNT BOOTSTRAP ROOM LOG`. Whole nodes that are
 * in one room. A line `SECONDS PER_SECOND` on its standard input has them talk in turn, and is answered by a JSON line; what
 * each hears is written to LOG. Ends with its standard input.
 */

const STARTS_AT_A_TIME = 5
const MEET_MS_MAX = 60_000
const HEARD_MS_MAX = 30_000
const POLL_MS = 100

interface Seat {
  readonly name: string
  readonly room: Room
  readonly heard: Map<string, number>
}

/** When each text was said, and how long it took to each who heard it. */
interface Talk {
  readonly saidAtMs: Map<string, number>
  readonly delaysMs: number[]
}

async function main([folder = '', countText = '', bootstrap = '', room = '', log = '']: readonly string[]) {
  const count = Number(countText)
  await using stack = new AsyncDisposableStack()
  const seats: Seat[] = []
  const talk: Talk = { saidAtMs: new Map(), delaysMs: [] }
  while (seats.length < count) {
    const some = Math.min(STARTS_AT_A_TIME, count - seats.length)
    const starting = Array.from({ length: some }, async (_, index) => {
      const name = `stable-${seats.length + index}`
      const node = await startNode({
        ...{ dataFolder: join(folder, name), reach: 'local', listen: ['/ip4/127.0.0.1/tcp/0'] },
        ...{ bootstrap: [bootstrap], powers: { isControlled: false } }
      })
      stack.use(node)
      const seat = {
        name,
        room: await node.rooms.join({ room, nick: name }),
        heard: new Map<string, number>()
      }
      void listen(seat, talk, log)
      return seat
    })
    seats.push(...(await Promise.all(starting)))
  }
  await until(() => seats.every((seat) => seat.room.members().length >= count), MEET_MS_MAX)
  const fewest = Math.min(...seats.map((seat) => seat.room.members().length))
  console.log(JSON.stringify({ event: 'ready', membersMin: fewest }))
  for await (const line of createInterface(process.stdin)) {
    const [seconds = 0, perSecond = 1] = line.split(' ').map(Number)
    console.log(JSON.stringify({ event: 'talked', ...(await converse(seats, talk, { seconds, perSecond })) }))
  }
}

async function listen(seat: Seat, { saidAtMs, delaysMs }: Talk, log: string): Promise<void> {
  for await (const event of seat.room.events()) {
    if (event.type !== 'message') continue
    const saidAt = saidAtMs.get(event.text)
    if (saidAt !== undefined && !event.isSelf) delaysMs.push(performance.now() - saidAt)
    seat.heard.set(event.text, (seat.heard.get(event.text) ?? 0) + 1)
    const line = ['heard', event.text, event.index, Date.now(), event.isSelf, seat.name]
    if (log !== '') appendFileSync(log, `${JSON.stringify(line)}\n`)
  }
}

let serial = 0

async function converse(
  seats: readonly Seat[],
  talk: Talk,
  { seconds, perSecond }: { readonly seconds: number; readonly perSecond: number }
): Promise<object> {
  talk.delaysMs.length = 0
  const texts: string[] = []
  const startedAt = performance.now()
  for (let n = 0; n < seconds * perSecond; n++) {
    const text = `m${serial++}`
    texts.push(text)
    talk.saidAtMs.set(text, performance.now())
    void seats[serial % seats.length]?.room.send(text)
    await sleep(Math.max(startedAt + ((n + 1) * 1_000) / perSecond - performance.now(), 0))
  }
  const isHeard = (seat: Seat): boolean => texts.every((text) => seat.heard.has(text))
  await until(() => seats.every(isHeard), HEARD_MS_MAX)
  const counts = seats.flatMap(({ heard }) => texts.map((text) => heard.get(text) ?? 0))
  const sorted = talk.delaysMs.toSorted((one, other) => one - other)
  const quantile = (share: number): number => sorted[Math.ceil(sorted.length * share) - 1] ?? NaN
  return {
    ...{ texts: texts.length, heard: sorted.length },
    lost: counts.filter((times) => times === 0).length,
    repeated: counts.filter((times) => times > 1).length,
    ...{ p50Ms: quantile(0.5), p99Ms: quantile(0.99) }
  }
}

async function until(isSo: () => boolean, timeoutMs: number): Promise<void> {
  const deadline = performance.now() + timeoutMs
  while (!isSo() && performance.now() < deadline) await sleep(POLL_MS)
}

await main(process.argv.slice(2))
