import assert from 'node:assert/strict'
import { createPrivateWorld, type PrivateDevice, type PrivateWorld } from './private-party.ts'

const { signal } = new AbortController()
const MINUTE_MS = 60_000
const FOUNDERS = 3
/** Rounds of half a minute in which everybody says something, until all are in one conversation. */
const ROUNDS_MAX = 10
const ROUND_MS = 30_000

interface Group {
  readonly world: PrivateWorld
  readonly group: string
  readonly devices: PrivateDevice[]
}

/**
 * A private room that is cut into two random sides again and again, each of which takes somebody in meanwhile; some cuts last until the
 * fork is too old to be settled by reading. Then everybody has to be in one conversation, in which each hears each.
 */
export async function forkAndMeet(seed: number, cutsMinutes: readonly number[]): Promise<void> {
  await using world = createPrivateWorld(seed)
  const newcomers: PrivateDevice[] = []
  const devices: PrivateDevice[] = []
  while (devices.length < FOUNDERS) devices.push(await world.device(world.person()))
  while (newcomers.length < 2 * cutsMinutes.length) newcomers.push(await world.device(world.person()))
  const [founder, ...invited] = devices
  assert.ok(founder)
  const { group } = await founder.rooms.createRoom('plans')
  for (const one of invited) await founder.rooms.invite(group, one.person.did, { signal })
  const room = { world, group, devices }
  await world.until(() => devices.every((one) => membersOf(room, one).length === FOUNDERS))
  for (const minutes of cutsMinutes) {
    await fork(room, newcomers)
    await world.pass(minutes * MINUTE_MS)
    world.mayPass = () => true
  }
  await meet(room)
  for (const one of devices) await one.rooms.say(group, `together ${one.did}`)
  const hasAll = (one: PrivateDevice): boolean =>
    devices.every(({ did }) => one.texts().includes(`together ${did}`))
  await world.until(() => devices.every(hasAll), 'each hears each')
}

/** The network is cut, and a member on each side takes a newcomer in. */
async function fork({ world, group, devices }: Group, newcomers: PrivateDevice[]): Promise<void> {
  const side = new Set(devices.filter(() => world.random.unit() < 0.5).map(({ did }) => did))
  world.mayPass = (from, to) => side.has(from) === side.has(to)
  for (const isFirst of [true, false]) {
    const inviters = devices.filter(({ did }) => side.has(did) === isFirst)
    const inviter = inviters[Math.floor(world.random.unit() * inviters.length)]
    const newcomer = inviter === undefined ? undefined : newcomers.shift()
    if (inviter === undefined || newcomer === undefined) continue
    if (isFirst) side.add(newcomer.did)
    await inviter.rooms.invite(group, newcomer.person.did, { signal })
    devices.push(newcomer)
  }
}

async function meet(room: Group): Promise<void> {
  const { world, group, devices } = room
  let quiet = 0
  for (let round = 0; round < ROUNDS_MAX && quiet < 2; round++) {
    const before = room.world.wire.length
    // Who is just being taken in again cannot speak.
    for (const one of devices) await one.rooms.say(group, `round ${round}`).catch(() => undefined)
    await world.pass(ROUND_MS)
    const isWhole = devices.every((one) => membersOf(room, one).length === devices.length)
    // Each says one thing to each other, and next to nothing else goes over the wire.
    const frames = world.wire.length - before
    quiet = isWhole && frames < 2 * devices.length * (devices.length - 1) ? quiet + 1 : 0
  }
  assert.equal(quiet, 2, 'all are in, and nobody has anything to settle any more')
}

function membersOf({ group }: Group, device: PrivateDevice): readonly string[] {
  const found = device.rooms.list().find((one) => one.group === group)
  return (found?.members ?? []).map(({ device: did }) => did)
}
