import type { CID } from 'multiformats/cid'
import { errorCode } from '#contracts'
import type { Room } from '#rooms'
import { SimError } from '../errors.ts'
import type { Simulation } from '../simulate.ts'

/** How long the nodes have to meet before anything is asked of them. */
const SETTLE_MS = 10_000
/** Long enough for both sides to give up every connection across the cut. */
const PARTITION_MS = 30_000
/** Within this after the cut is mended, the sides find each other's content. */
const HEALED_MS = 120_000
const REFUSAL_DEADLINE_MS = 40_000
const CHAT_DEADLINE_MS = 30_000
/** More than one block, so that a fetch is more than one question. */
const LARGE_BYTES = 1_500_000

/** What a fetch says that found nothing it may have. */
const ABSENT = ['ERR_CONTENT_NO_PROVIDERS', 'ERR_CONTENT_NOT_FOUND', 'ERR_PROVIDER_UNREACHABLE']

/**
 * Nodes that were told of the first one only find each other's content through the DHT, before, during and after a
 * partition; what is private stays where it is; two of them talk in a room.
 */
export async function play(sim: Simulation): Promise<void> {
  await sim.run({ durationMs: SETTLE_MS })
  await strangersFetch(sim)
  await privateIsRefused(sim)
  await sidesFetch(sim)
  await strangersTalk(sim)
  await sim.check()
}

/** A node that is none of these. The first, which everybody was told of, is left out too. */
function another(sim: Simulation, ...taken: readonly number[]): number {
  return sim.random.pick([...sim.nodes.keys()].filter((index) => index > 0 && !taken.includes(index)))
}

async function strangersFetch(sim: Simulation): Promise<void> {
  const owner = another(sim)
  const reader = another(sim, owner)
  await sim.get(await sim.publish('hello, whoever you are', { at: owner }), { at: reader })
  await sim.get(await sim.publish(sim.random.bytes(LARGE_BYTES), { at: owner }), { at: another(sim, owner) })
}

/** Not even when somebody told the network, by mistake, who has it. */
async function privateIsRefused(sim: Simulation): Promise<void> {
  const owner = another(sim)
  const stranger = another(sim, owner)
  await sim.publish('something public beside it', { at: owner })
  const diary = await sim.publish('dear diary', { at: owner, private: true })
  await isAbsent(sim, diary, { at: stranger, what: 'a private CID' })
  const told = sim.nodes[owner]?.host.routing.provide(diary)
  await sim.complete(Promise.resolve(told))
  await isAbsent(sim, diary, { at: stranger, what: 'a private CID that was announced' })
}

/** Each side goes on by itself, and they find each other again. */
async function sidesFetch(sim: Simulation): Promise<void> {
  const half = Math.ceil(sim.nodes.length / 2)
  const near = [...sim.nodes.keys()].slice(0, half)
  const far = [...sim.nodes.keys()].slice(half)
  sim.partition(near, far)
  await sim.run({ durationMs: PARTITION_MS })
  const owner = another(sim, ...near)
  const cid = await sim.publish('news from the other side', { at: owner })
  await sim.get(cid, { at: another(sim, ...near, owner) })
  const reader = another(sim, ...far)
  await isAbsent(sim, cid, { at: reader, what: 'content beyond the cut' })
  sim.heal()
  await comesBack(sim, cid, reader)
}

/** Tries as a person would: again and again, until it works. */
async function comesBack(sim: Simulation, cid: CID, reader: number): Promise<void> {
  const untilMs = sim.nowMs() + HEALED_MS
  for (;;) {
    try {
      await sim.get(cid, { at: reader })
      return
    } catch (error) {
      if (!ABSENT.includes(errorCode(error) ?? '') || sim.nowMs() > untilMs) throw error
      await sim.run({ durationMs: 5_000 })
    }
  }
}

async function isAbsent(sim: Simulation, cid: CID, o: { at: number; what: string }): Promise<void> {
  const code = await sim.get(cid, { at: o.at, deadlineMs: REFUSAL_DEADLINE_MS }).then(
    () => 'nothing wrong',
    (error: unknown) => errorCode(error) ?? String(error)
  )
  // that it was got is for the checkers to say
  if (code === 'nothing wrong' || ABSENT.includes(code)) return
  throw new SimError('ERR_SIM_INVARIANT', `expected ${o.what} to be absent at node ${o.at}, got ${code}`)
}

async function strangersTalk(sim: Simulation): Promise<void> {
  const first = another(sim)
  const second = another(sim, first)
  await using stack = new AsyncDisposableStack()
  const rooms: Room[] = []
  for (const at of [first, second]) {
    const room = await sim.complete(join(sim, at))
    rooms.push(room)
    stack.defer(async () => {
      await sim.complete(Promise.resolve(room[Symbol.asyncDispose]()))
    })
    listen(sim, room, at)
  }
  const said = ['is anybody here?', 'yes', 'good'] as const
  for (const [turn, text] of said.entries()) {
    const [speaker, hearer] = turn % 2 === 0 ? [0, second] : [1, first]
    const room = rooms[speaker]
    if (room === undefined) throw new RangeError('expected two rooms')
    const { recipients } = await sim.complete(room.send(text))
    if (recipients === 0) throw new SimError('ERR_SIM_INVARIANT', `expected somebody to take ${text}`)
    const heard = (): boolean => sim.history.heard.some((one) => one.at === hearer && one.text === text)
    await sim.until(`node ${hearer} to hear ${JSON.stringify(text)}`, heard, CHAT_DEADLINE_MS)
  }
}

async function join(sim: Simulation, at: number): Promise<Room> {
  const node = sim.nodes[at]
  if (node === undefined) throw new RangeError(`expected a node ${at}`)
  return await node.rooms.join({ room: 'greenhouse', nick: `nick-${at}` })
}

/** Notes what is heard for as long as the room is open. */
function listen(sim: Simulation, room: Room, at: number): void {
  void (async () => {
    for await (const event of room.events()) {
      if (event.type !== 'message' || event.isSelf) continue
      sim.hear({ at, id: event.id, text: event.text })
    }
  })()
}
