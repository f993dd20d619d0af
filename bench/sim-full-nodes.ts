import { writeSync } from 'node:fs'
import type { Room } from '#rooms'
import { simulate, type Simulation } from '#sim'
import { realMonotonicMs } from '../sim/powers.ts'

/**
 * A process of the benchmark of whole nodes: `node --import ./sim/preload.ts bench/sim-full-nodes.ts NODES MINUTES`. Nodes join,
 * and for so many virtual minutes, joining included, somebody publishes and somebody else fetches again and again, while some
 * talk in a room. Prints what came as a JSON line.
 */

const PAUSE_MS = 10_000
/** How many are in the room. */
const TALKERS = 10
/** How long they have to find each other. */
const MEET_MS = 60_000

async function main([nodes = '50', minutes = '10']: readonly string[]): Promise<void> {
  const startedAtMs = realMonotonicMs()
  const cpuBefore = process.cpuUsage()
  const threadBefore = process.threadCpuUsage()
  const sim = await simulate({ seed: 1, nodeCount: Number(nodes) })
  const joined = { joinVirtualMs: sim.nowMs(), joinRealMs: realMonotonicMs() - startedAtMs }
  const rooms = await enterRoom(sim, Math.min(TALKERS, Number(nodes)))
  const untilMs = Number(minutes) * 60_000
  let [published, said] = [0, 0]
  while (sim.nowMs() < untilMs) {
    const nextMs = Math.min(sim.nowMs() + PAUSE_MS, untilMs)
    await publishAndFetch(sim, published++)
    if (sim.nowMs() > MEET_MS && untilMs - sim.nowMs() > PAUSE_MS / 2) await say(sim, rooms, said++)
    if (sim.nowMs() < nextMs) await sim.run({ durationMs: nextMs - sim.nowMs() })
  }
  await sim.check()
  const { user, system } = process.cpuUsage(cpuBefore)
  const thread = process.threadCpuUsage(threadBefore)
  const result = {
    ...{ virtualMs: sim.nowMs(), realMs: realMonotonicMs() - startedAtMs, ...joined },
    processorMs: (user + system) / 1_000,
    threadMs: (thread.user + thread.system) / 1_000,
    residentBytes: process.memoryUsage.rss(),
    ...{ published, fetched: sim.history.fetched.length },
    ...{ said, heard: sim.history.heard.length, listeners: rooms.length - 1 },
    ...{ payloads: sim.trace.payloadCount(), traceHash: sim.traceHash() }
  }
  writeSync(1, `${JSON.stringify({ event: 'done', ...result })}\n`)
  process.exit()
}

/** Different ones each time. */
async function publishAndFetch(sim: Simulation, count: number): Promise<void> {
  const at = 1 + (count % (sim.nodes.length - 1))
  const cid = await sim.publish(`content ${count}`, { at })
  await sim.get(cid, { at: (at * 7) % sim.nodes.length })
}

async function enterRoom(sim: Simulation, count: number): Promise<Room[]> {
  const entering = sim.nodes.slice(0, count).map(async (node, at) => {
    const room = await node.rooms.join({ room: 'benchmark', nick: `node-${at}` })
    void listen(sim, room, at)
    return room
  })
  return await sim.complete(Promise.all(entering))
}

async function listen(sim: Simulation, room: Room, at: number): Promise<void> {
  for await (const event of room.events()) {
    if (event.type === 'message' && !event.isSelf) sim.hear({ at, id: event.id, text: event.text })
  }
}

async function say(sim: Simulation, rooms: readonly Room[], count: number): Promise<void> {
  await sim.complete(Promise.resolve(rooms[count % rooms.length]?.send(`message ${count}`)))
}

await main(process.argv.slice(2))
