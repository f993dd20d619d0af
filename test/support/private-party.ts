import { setTimeout as realSleep } from 'node:timers/promises'
import { silentLogger } from '#contracts'
import { certifyDevice, createKeyPair, type Did, type KeyPair } from '#did'
import {
  createMemoryRoomStore,
  createPrekeyDepot,
  startPrivateRooms,
  type PrekeyDepot,
  type PrivateEvent,
  type PrivateRooms,
  type RoomStore
} from '#rooms'
import { createSeededRandom } from './seeded-random.ts'
import { createVirtualClock, type VirtualClock } from './virtual-clock.ts'

/** A device with private rooms in a {@link PrivateWorld}. */
export interface PrivateDevice {
  readonly person: KeyPair
  readonly key: KeyPair
  readonly did: Did
  /** What others reach it by. */
  rooms: PrivateRooms
  readonly store: RoomStore
  /** Every event so far. */
  readonly events: PrivateEvent[]
  /** What it was told and said, in order, as `text`. */
  texts(): readonly string[]
  /** While offline nothing comes in and nothing goes out. */
  isOnline: boolean
  /** Stops it, and starts it again over the same store. */
  restart(): Promise<void>
}

/** Devices that reach each other over a network in which the test has a say. */
export interface PrivateWorld extends AsyncDisposable {
  readonly clock: VirtualClock
  readonly depot: PrekeyDepot
  person(): KeyPair
  device(person: KeyPair, seed?: number): Promise<PrivateDevice>
  /** Frames that went over the wire. */
  readonly wire: { readonly from: Did; readonly to: Did; readonly bytes: Uint8Array }[]
  /** Whether a frame gets through; by default, if both are online. */
  mayPass: (from: Did, to: Did) => boolean
  /** Lets time pass until `condition`; fails when it does not come. */
  until(condition: () => boolean, what?: string): Promise<void>
  /** Lets so much time pass, and everything in it happen. */
  pass(durationMs: number): Promise<void>
  /** Devices whose prekeys no search finds. */
  readonly hidden: Set<Did>
  /** Devices that may not take part, as everybody here sees it. */
  readonly banned: Set<Did>
  readonly random: ReturnType<typeof createSeededRandom>
}

const STEP_MS = 500
const STEPS_MAX = 4_000
const PASS_STEPS = 50

/** An empty world. */
export function createPrivateWorld(seed = 1): PrivateWorld {
  const clock = createVirtualClock()
  const random = createSeededRandom(seed)
  const depot = createPrekeyDepot({ store: createMemoryRoomStore(), clock })
  const devices = new Map<Did, PrivateDevice>()
  const wire: { from: Did; to: Did; bytes: Uint8Array }[] = []
  const banned = new Set<Did>()
  const hidden = new Set<Did>()
  let inFlight = 0
  const deliver = async (from: Did, to: Did, bytes: Uint8Array): Promise<void> => {
    const target = devices.get(to)
    const isPassable = devices.get(from)?.isOnline === true && target?.isOnline === true
    if (target === undefined || !isPassable || !world.mayPass(from, to)) throw new Error('not reached')
    wire.push({ from, to, bytes })
    inFlight++
    try {
      await target.rooms.receive(bytes)
    } finally {
      inFlight--
    }
  }
  const start = async (person: KeyPair, key: KeyPair, store: RoomStore): Promise<PrivateRooms> => {
    const certificate = certifyDevice(person, { device: key.did, issuedAtMs: 1 })
    return await startPrivateRooms({
      ...{ signer: key, certificate, store, clock, logger: silentLogger },
      storeKey: key.seed,
      random: createSeededRandom(Math.floor(random.unit() * 2 ** 32)),
      isAllowed: ({ device }) => !banned.has(device),
      transport: { deliver: async (to, bytes) => await deliver(key.did, to, bytes) },
      prekeys: {
        publish: async ([bytes]) => {
          if (devices.get(key.did)?.isOnline === false || bytes === undefined) throw new Error('not reached')
          await depot.deposit(bytes)
        },
        take: async (of, { except = [] }) =>
          await depot.take(of, { taker: key.did, except: [...except, ...hidden] })
      }
    })
  }
  const hear = async (rooms: PrivateRooms, events: PrivateEvent[]): Promise<void> => {
    for await (const event of rooms.events()) events.push(event)
  }
  const world: PrivateWorld = {
    ...{ clock, depot, wire, banned, hidden, random },
    mayPass: () => true,
    person: () => createKeyPair(random),
    device: async (person) => {
      const [key, store, events] = [createKeyPair(random), createMemoryRoomStore(), [] as PrivateEvent[]]
      const device = {
        ...{ person, key, did: key.did, store, events, isOnline: true },
        rooms: await start(person, key, store),
        texts: () => events.flatMap((event) => (event.type === 'text' ? event.text : [])),
        restart: async () => {
          await device.rooms[Symbol.asyncDispose]()
          device.rooms = await start(person, key, store)
          void hear(device.rooms, events)
        }
      }
      devices.set(key.did, device)
      void hear(device.rooms, events)
      await world.until(() => depot.devicesOf(person.did).includes(key.did), 'prekeys are published')
      return device
    },
    until: async (condition, what = String(condition)) => {
      for (let step = 0; !condition(); step++) {
        if (step > STEPS_MAX) throw new Error(`expected that ${what}`)
        // Keys are derived on other threads, which take real time.
        await realSleep(1)
        if (inFlight === 0) await clock.advance(STEP_MS)
      }
    },
    pass: async (durationMs) => {
      for (let step = 0; step < PASS_STEPS; step++) {
        await clock.advance(durationMs / PASS_STEPS)
        await world.until(() => inFlight === 0, 'what was sent is taken')
      }
    },
    [Symbol.asyncDispose]: async () => {
      for (const device of devices.values()) await device.rooms[Symbol.asyncDispose]()
    }
  }
  return world
}
