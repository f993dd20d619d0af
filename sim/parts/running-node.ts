import { openAuthority } from '#capsule-host'
import type { Clock, Logger } from '#contracts'
import { silentLogger } from '#contracts'
import {
  kadNameRouting,
  startBareDht,
  startNames,
  type BareDht,
  type DhtPeer,
  type Names,
  type PeerBook
} from '#dht'
import { startRoom, type Room } from '#rooms'
import type { RandomSource } from '../random-source.ts'
import { diskAuthorityStore, diskDatastore, type MountedDisk } from './disk.ts'
import { gaugedRoom, type Gauge } from './gauges.ts'
import type { PartsPlant } from './plants.ts'
import { createRoomTransport, type StubRoomTransport } from './room-transport.ts'
import type { Owner, Scheduler } from './scheduler.ts'
import type { SimNode } from './sim-node.ts'
import type { Place, Station, StationAnswer, Wire } from './wire.ts'

/** What is asked. */
export interface Question {
  readonly kind: string
  readonly bytes: Uint8Array
  readonly signal?: AbortSignal
  readonly timeoutMs?: number
}

/** Answers messages of one kind. */
export type Responder = (from: Place, bytes: Uint8Array, detail: string) => Promise<StationAnswer | undefined>

/** A node that runs, from its start to its end. Its parts are ours; what is below them is simulated. */
export interface RunningNode {
  readonly node: SimNode
  readonly owner: Owner
  readonly clock: Clock
  readonly random: RandomSource
  readonly logger: Logger
  readonly station: Station
  readonly disk: MountedDisk
  readonly dht: BareDht
  readonly sinceMs: number
  /** Never aborts: who crashes does not cancel. */
  readonly signal: AbortSignal
  /** Started when it is asked for first. */
  names(): Names
  /** Started when it is asked for first. */
  authority(): ReturnType<typeof openAuthority>
  readonly rooms: StubRoomTransport
  join(room: string): Promise<Room>
  /** Answers messages of a kind from now on. */
  respond(kind: string, responder: Responder): void
  /** Sends and resolves with the answer. @throws as {@link Wire.request} */
  ask(to: Place, question: Question): Promise<Uint8Array>
  /** Looks at queues and tables of a part that was started on this node too. */
  watch(gauges: () => readonly Gauge[]): void
  gauges(): readonly Gauge[]
}

/** What all nodes of a simulation share. */
export interface Surroundings {
  readonly scheduler: Scheduler
  readonly wire: Wire
  readonly book: PeerBook
  readonly plant: PartsPlant
  nodeAt(place: Place): SimNode | undefined
  placeOf(peerId: string): Place | undefined
  /** Places of the seeds. */
  readonly seeds: readonly Place[]
}

/** As the pool of streams of a node on libp2p has it. */
const ANSWER_TIMEOUT_MS = 5_000
/** Connections a node keeps, the ones it used last. */
const CONTACTS_MAX = 100
const REJOIN_MS = 15_000
const REQUESTS_MAX = 4_096
const WRITES_MAX = 1_024

/** Puts a device on the network. */
export function startNode(around: Surroundings, node: SimNode): RunningNode {
  const running = new NodeOnWire(around, node)
  around.wire.open(running.station)
  meetOthers(around, running)
  return running
}

class NodeOnWire implements RunningNode {
  readonly node: SimNode
  readonly owner: Owner = { isDead: false }
  readonly clock: Clock
  readonly random: RandomSource
  readonly logger: Logger = silentLogger
  readonly station: Station
  readonly disk: MountedDisk
  readonly dht: BareDht
  readonly rooms: StubRoomTransport
  readonly sinceMs: number
  readonly signal: AbortSignal = new AbortController().signal
  readonly #around: Surroundings
  readonly #responders = new Map<string, Responder>()
  readonly #contacts = new Map<Place, true>()
  readonly #watched: (() => readonly Gauge[])[] = []
  #asking = 0
  #names: Names | undefined
  #authority: ReturnType<typeof openAuthority> | undefined

  constructor(around: Surroundings, node: SimNode) {
    this.#around = around
    this.node = node
    this.random = node.random
    this.clock = around.scheduler.clockOf(this.owner)
    this.sinceMs = this.clock.monotonicMs()
    this.disk = node.disk.mount(this.clock)
    this.station = {
      ...{ place: node.place, owner: this.owner },
      answer: async (from, kind, bytes) => {
        const [what, detail] = splitKind(kind)
        return what === 'dial' ? { bytes } : await this.#responders.get(what)?.(from, bytes, detail)
      },
      linked: (to, isOpen) => this.rooms.linked(to, isOpen)
    }
    this.dht = this.#startDht()
    const ask: RunningNode['ask'] = async (to, question) => await this.ask(to, question)
    const { station, dht } = this
    this.rooms = createRoomTransport({ around, station, dht, ask, responders: this.#responders })
  }

  names(): Names {
    const { node, dht, disk } = this
    const { plant } = this.#around
    const routing = kadNameRouting('sim', { queries: dht.queries, whenJoined: whenJoined(dht) })
    return (this.#names ??= startNames({
      ...this.#shared(),
      routings: [plant.nameRouting(routing)],
      datastore: plant.nameDatastore(diskDatastore(disk)),
      signerOf: async (did) => (did === node.keyPair.did ? node.keyPair : undefined)
    }))
  }

  async authority(): ReturnType<typeof openAuthority> {
    const store = this.#around.plant.authorityStore(diskAuthorityStore(this.disk))
    return await (this.#authority ??= openAuthority({ ...this.#shared(), store, device: this.node.keyPair }))
  }

  async join(room: string): Promise<Room> {
    const { node, rooms } = this
    const components = { ...this.#shared(), signer: node.keyPair, transport: rooms }
    const joined = gaugedRoom(await startRoom(components, { room, nick: `node ${node.place}` }))
    this.watch(() => joined.gauges())
    return joined
  }

  respond(kind: string, responder: Responder): void {
    this.#responders.set(kind, responder)
  }

  async ask(to: Place, question: Question): Promise<Uint8Array> {
    const { wire } = this.#around
    const { kind, bytes, signal = this.signal, timeoutMs = ANSWER_TIMEOUT_MS } = question
    this.#asking += 1
    try {
      if (!this.#contacts.has(to)) {
        await wire.request(this.station, to, {
          kind: 'dial',
          bytes: DIAL,
          signal,
          timeoutMs: ANSWER_TIMEOUT_MS
        })
      }
      this.#used(to)
      return await wire.request(this.station, to, { kind, bytes, signal, timeoutMs })
    } catch (error) {
      if (!signal.aborted) this.#contacts.delete(to)
      throw error
    } finally {
      this.#asking -= 1
    }
  }

  watch(gauges: () => readonly Gauge[]): void {
    this.#watched.push(gauges)
  }

  gauges(): readonly Gauge[] {
    return [
      { name: 'requests under way', size: this.#asking, max: REQUESTS_MAX },
      { name: 'connections', size: this.#contacts.size, max: CONTACTS_MAX },
      { name: 'routing table', size: this.dht.table.size(), max: 20 * 257 },
      { name: 'records of the DHT', size: this.dht.records.size(), max: 2 * 4_096 },
      { name: 'writes under way', size: this.node.disk.waiting(), max: WRITES_MAX },
      ...this.rooms.gauges(),
      ...this.#watched.flatMap((gauges) => gauges())
    ]
  }

  #shared(): { clock: Clock; random: RandomSource; logger: Logger } {
    const { clock, random, logger } = this
    return { clock, random, logger }
  }

  /** The connections that were used last stay. */
  #used(to: Place): void {
    this.#contacts.delete(to)
    this.#contacts.set(to, true)
    const [oldest = to] = this.#contacts.keys()
    if (this.#contacts.size > CONTACTS_MAX) this.#contacts.delete(oldest)
  }

  #startDht(): BareDht {
    const around = this.#around
    const placeOf = (peer: DhtPeer): Place => around.placeOf(peer.peerId) ?? NOWHERE
    const send = async (to: DhtPeer, bytes: Uint8Array, signal: AbortSignal): Promise<Uint8Array> =>
      await this.ask(placeOf(to), { kind: 'dht', bytes, signal })
    const network = {
      request: send,
      tell: async (to: DhtPeer, bytes: Uint8Array, signal: AbortSignal) => {
        await send(to, bytes, signal)
      },
      isConnected: (to: DhtPeer) => this.#contacts.has(placeOf(to))
    }
    const { peer, multiaddrs } = this.node
    const dht = startBareDht({ ...this.#shared(), book: around.book, network }, { id: peer.id, multiaddrs })
    this.respond('dht', async (from, bytes) => {
      const asking = around.nodeAt(from)?.peer
      return asking && { bytes: (await dht.answer(asking, bytes)) ?? NOTHING }
    })
    return dht
  }
}

const NOWHERE: Place = -1
const DIAL = new Uint8Array(1)
const NOTHING = new Uint8Array(0)

function splitKind(kind: string): [what: string, detail: string] {
  const at = kind.indexOf(':')
  return at === -1 ? [kind, ''] : [kind.slice(0, at), kind.slice(at + 1)]
}

function whenJoined(dht: BareDht): (signal: AbortSignal) => Promise<number> {
  return async (signal) => {
    signal.throwIfAborted()
    return await Promise.resolve(dht.table.size())
  }
}

/** Knows seeds and whom it met before; tries them again whenever it knows nobody. */
function meetOthers(around: Surroundings, { node, dht, clock }: RunningNode): void {
  const meet = (): void => {
    for (const place of [...around.seeds, ...node.knownPlaces]) {
      const other = around.nodeAt(place)
      if (other !== undefined && other !== node) dht.meet(other.peer.peerId, other.multiaddrs)
    }
  }
  meet()
  clock.every(REJOIN_MS, () => {
    if (dht.table.size() === 0) meet()
  })
}
