import type { Room } from '#rooms'
import { millisecondsOf } from '../../duration.ts'
import type { RunningNode } from '../running-node.ts'
import type { World } from '../world.ts'
import { tolerate } from './people.ts'
import type { StepOf } from './weather.ts'

/** A node in a room, from its joining to its end. */
interface Seat {
  readonly running: RunningNode
  readonly room: Room
  /** Names this seat in the history. */
  readonly hearer: string
  readonly sinceMs: number
}

/** How long members have to find each other, at first and after a disturbance, before everybody must hear everything. */
const SETTLED_MS = 180_000
/** How long a message may take, retries included. */
const HEARD_WITHIN_MS = 60_000
const CHECK_EVERY_MS = 30_000

/** People talk in rooms; whose node ends is followed by somebody else. */
export function talk(world: World, step: StepOf<'talk'>): void {
  for (let index = 0; index < step.rooms; index++) startRoom(world, step, `room ${index}`)
  world.clock.every(CHECK_EVERY_MS, () => {
    for (const { id, hearer } of world.history.unheard(world.clock.monotonicMs() - HEARD_WITHIN_MS)) {
      world.history.violate('messages', `${hearer} did not hear ${id}`)
    }
  })
}

function startRoom(world: World, step: StepOf<'talk'>, name: string): void {
  const seats = new Map<RunningNode, Seat>()
  const taken = new Set<RunningNode>()
  const fill = (): void => {
    const free = world.running().filter((running) => !taken.has(running))
    for (const running of world.pick(free, step.members - taken.size)) {
      taken.add(running)
      tolerate(world, 'joins', sit(world, running, { name, seats }))
    }
  }
  world.onEnd((running) => {
    const seat = seats.get(running)
    taken.delete(running)
    seats.delete(running)
    if (seat !== undefined) world.history.ended(seat.hearer)
  })
  fill()
  world.clock.every(millisecondsOf(step.every), () => {
    fill()
    const [seat] = world.pick([...seats.values()], 1)
    if (seat !== undefined) tolerate(world, 'messages', say(world, seat, seats))
  })
}

async function sit(
  world: World,
  running: RunningNode,
  { name, seats }: { readonly name: string; readonly seats: Map<RunningNode, Seat> }
): Promise<void> {
  const room = await running.join(name)
  const hearer = `node ${running.node.place} since ${Math.round(running.sinceMs)} in ${name}`
  seats.set(running, { running, room, hearer, sinceMs: world.clock.monotonicMs() })
  listen(world, room, hearer)
}

function listen(world: World, room: Room, hearer: string): void {
  void (async () => {
    for await (const event of room.events()) {
      if (event.type === 'message' && !event.isSelf) world.history.heard(hearer, event.id)
    }
  })()
}

/** Says something; those who were here long enough, and are not cut off, must hear it. */
async function say(world: World, seat: Seat, seats: ReadonlyMap<RunningNode, Seat>): Promise<void> {
  const nowMs = world.clock.monotonicMs()
  const isSettled = ({ sinceMs }: Seat): boolean => nowMs - sinceMs >= SETTLED_MS
  const { recipients, id } = await seat.room.send(`it is ${Math.round(nowMs)}`)
  if (recipients === 0 || !isSettled(seat) || !world.isCalm(SETTLED_MS)) return
  const others = [...seats.values()].filter((other) => other !== seat && isSettled(other))
  world.history.said(
    id,
    others.map(({ hearer }) => hearer)
  )
}
