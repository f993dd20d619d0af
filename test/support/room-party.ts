import { silentLogger, type Random } from '#contracts'
import { certifyDevice, createKeyPair, peerIdFromDid, type Did, type KeyPair } from '#did'
import { startRoom, type Room, type RoomEvent, type RoomStore } from '#rooms'
import { createRoomNetwork, type RoomNetwork } from './room-network.ts'
import { createSeededRandom } from './seeded-random.ts'
import { createVirtualClock, type VirtualClock } from './virtual-clock.ts'

/** Somebody with a device and maybe a person key. */
export interface Guest {
  readonly device: KeyPair
  readonly peerId: string
  readonly person?: KeyPair
  readonly certificate?: Uint8Array
}

/** Somebody in a room, with everything that happened there so far. */
export interface GuestRoom extends Guest {
  readonly room: Room
  readonly events: RoomEvent[]
  /** The texts heard from others, as `label: text`. */
  heard(): string[]
  /** The labels of those who are here, ourselves first. */
  here(): string[]
}

/** Rooms of several people over one network in virtual time. Disposing it has everybody leave. */
export interface Party extends AsyncDisposable {
  readonly clock: VirtualClock
  readonly network: RoomNetwork
  readonly random: Random
  guest(options?: { readonly isPerson?: boolean }): Guest
  join(nick: string, options?: JoinOptions): Promise<GuestRoom>
}

/** When a party begins, and the seed of its randomness. */
export interface PartyInit {
  readonly seed?: number
  readonly startMs?: number
}

/** How somebody joins. */
export interface JoinOptions {
  readonly room?: string
  readonly guest?: Guest
  /** How far this person's wall clock is ahead of everybody's. */
  readonly clockOffMs?: number
  readonly denied?: readonly Did[]
  /** What this person's node remembers from visit to visit. */
  readonly store?: RoomStore
  /** Whether to read as a person does: the history first. */
  readonly isTold?: boolean
}

/** Starts with nobody there, on the first of the room's UTC days at noon. */
export function createParty({ seed = 1, startMs = Date.UTC(2027, 0, 15, 12) }: PartyInit = {}): Party {
  const clock = createVirtualClock(startMs)
  const network = createRoomNetwork(clock)
  const random = createSeededRandom(seed)
  const stack = new AsyncDisposableStack()

  const guest: Party['guest'] = ({ isPerson = true } = {}) => {
    const device = createKeyPair(random)
    const peerId = peerIdFromDid(device.did)
    if (!isPerson) return { device, peerId }
    const person = createKeyPair(random)
    const claim = { device: device.did, issuedAtMs: clock.nowMs() }
    return { device, peerId, person, certificate: certifyDevice(person, claim) }
  }
  return {
    clock,
    network,
    random,
    guest,
    join: async (nick, options = {}) => {
      const { room: name = 'lobby', guest: who = guest(), clockOffMs = 0, denied = [] } = options
      const room = await startRoom(
        {
          signer: who.device,
          ...(who.certificate === undefined ? {} : { certificate: who.certificate }),
          transport: network.transport(who.peerId),
          clock: { ...clock, nowMs: () => clock.nowMs() + clockOffMs },
          random,
          logger: silentLogger,
          isDenied: (did) => denied.includes(did),
          ...(options.store === undefined ? {} : { store: options.store })
        },
        { room: name, nick }
      )
      const events: RoomEvent[] = []
      const reading = (async () => {
        for await (const event of options.isTold === true ? room.told() : room.events()) events.push(event)
      })()
      stack.defer(() => reading)
      stack.use(room)
      return {
        ...who,
        room,
        events,
        heard: () =>
          events.flatMap((event) =>
            event.type === 'message' && !event.isSelf ? [`${event.label}: ${event.text}`] : []
          ),
        here: () => room.members().map((member) => member.label)
      }
    },
    [Symbol.asyncDispose]: async () => {
      const leaving = stack.disposeAsync()
      await clock.advance(10_000)
      await leaving
    }
  }
}
