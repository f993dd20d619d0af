import { DEAD_LINK_MS, PACKET_BYTES, RETRANSMISSION_MS } from '../constants.ts'
import { SimError } from '../errors.ts'
import { createRandomSource, deriveSeed } from '../random-source.ts'
import type { NetworkTerms } from '../scenario.ts'
import type { Trace } from '../trace.ts'
import type { Owner, Scheduler } from './scheduler.ts'

/** Where a node is on the stub network: its index. */
export type Place = number

/** What comes back. */
export interface StationAnswer {
  readonly bytes: Uint8Array
  /** Bytes of content that travel beside those, and are only counted. */
  readonly ballastBytes?: number
}

/** Who answers at a place: one run of a node, from its start to its end. */
export interface Station {
  readonly place: Place
  readonly owner: Owner
  /** Answers a message of that kind; a throw or a rejection gives none. */
  answer(from: Place, kind: string, bytes: Uint8Array): Promise<StationAnswer | undefined>
  /** The connection to a place is open, or gone. */
  linked(to: Place, isOpen: boolean): void
}

/** How a message is sent. */
export interface SendInit {
  /** What it is for; what stands behind a colon tells those of one kind apart. */
  readonly kind: string
  readonly bytes: Uint8Array
  readonly signal: AbortSignal
  readonly timeoutMs: number
}

/** What the wire counted since it was asked last. */
export interface WireCounts {
  readonly bytesByKind: Readonly<Record<string, number>>
  readonly messages: number
}

/** A stub network between places: latency by pair, bandwidth, loss, reordering, partitions, slow peers. */
export interface Wire {
  /** Puts a running node onto the network. */
  open(station: Station): void
  /** Takes it off without a word: others notice when nothing comes back. */
  close(station: Station): void
  isOpen(place: Place): boolean
  /** Sends and resolves with the answer. @throws SimError `ERR_SIM_UNREACHABLE`, or the reason of the signal */
  request(from: Station, to: Place, init: SendInit): Promise<Uint8Array>
  /** Sends and forgets; `false` when there is no way. */
  post(from: Station, to: Place, init: Pick<SendInit, 'kind' | 'bytes'>): boolean
  /** Opens a connection that stays until one end goes. @throws as `request` */
  connect(from: Station, to: Place, signal: AbortSignal): Promise<void>
  isLinked(from: Place, to: Place): boolean
  links(of: Place): Iterable<Place>
  /** Puts places into groups that do not reach each other; those in no group reach everybody. */
  partition(groups: readonly (readonly Place[])[]): void
  isCut(from: Place, to: Place): boolean
  /** Adds to the latency of a place, both ways. */
  slow(place: Place, extraMs: number): void
  /** Requests under way. */
  underWay(): number
  takeCounts(): WireCounts
}

/** What a wire is made of. */
export interface WireComponents {
  readonly scheduler: Scheduler
  readonly trace: Pick<Trace, 'add'>
}

const LATENCY_MS = { min: 5, max: 100 }
/** 100 Mbit/s. */
const BYTES_PER_MS = 12_500
/** What headers and acknowledgements add to a message. */
const OVERHEAD_BYTES = 60
const CONNECT_TIMEOUT_MS = 5_000

/** A stub network drawn from the seed. */
export function createWire(components: WireComponents, seed: number, terms: NetworkTerms): Wire {
  return new StubWire(components, seed, terms)
}

class StubWire implements Wire {
  readonly #scheduler: Scheduler
  readonly #trace: Pick<Trace, 'add'>
  readonly #terms: NetworkTerms
  readonly #seed: number
  readonly #chance: ReturnType<typeof createRandomSource>
  readonly #stations = new Map<Place, Station>()
  readonly #links = new Map<Place, Set<Place>>()
  readonly #groupOf = new Map<Place, number>()
  readonly #extraMs = new Map<Place, number>()
  readonly #upFreeMs = new Map<Place, number>()
  readonly #aborts = new WeakMap<AbortSignal, Set<Reject>>()
  #bytesByKind: Record<string, number> = {}
  #messages = 0
  #underWay = 0

  constructor({ scheduler, trace }: WireComponents, seed: number, terms: NetworkTerms) {
    this.#scheduler = scheduler
    this.#trace = trace
    this.#terms = terms
    this.#seed = deriveSeed(seed, 'latency')
    this.#chance = createRandomSource(deriveSeed(seed, 'wire'))
  }

  open(station: Station): void {
    this.#stations.set(station.place, station)
  }

  close(station: Station): void {
    const { place } = station
    if (this.#stations.get(place) !== station) return
    this.#stations.delete(place)
    this.#upFreeMs.delete(place)
    for (const other of this.links(place))
      this.#scheduler.after(DEAD_LINK_MS, () => this.#unlink(other, place))
    this.#links.delete(place)
  }

  isOpen(place: Place): boolean {
    return this.#stations.has(place)
  }

  async request(from: Station, to: Place, init: SendInit): Promise<Uint8Array> {
    init.signal.throwIfAborted()
    const { promise, resolve, reject } = Promise.withResolvers<Uint8Array>()
    const fail = (): void => reject(unreachable(to))
    const timer = this.#scheduler.after(init.timeoutMs, fail, from.owner)
    const aborts = this.#abortsOf(init.signal)
    aborts.add(reject)
    this.#underWay += 1
    this.#send({ ...init, from, to }, (station) => {
      station
        .answer(from.place, init.kind, init.bytes)
        .then((answer) => {
          if (answer === undefined || station.owner.isDead) return
          this.#send({ kind: init.kind, ...answer, from: station, to: from.place }, (back) => {
            if (back === from) resolve(answer.bytes)
          })
        })
        // as a stream that is reset: who asks learns nothing but that it failed
        .catch(() => {
          if (!station.owner.isDead) this.#scheduler.after(this.#wayMs(from.place, to), fail, from.owner)
        })
    })
    try {
      return await promise
    } finally {
      this.#underWay -= 1
      timer[Symbol.dispose]()
      aborts.delete(reject)
    }
  }

  post(from: Station, to: Place, { kind, bytes }: Pick<SendInit, 'kind' | 'bytes'>): boolean {
    if (!this.isLinked(from.place, to)) return false
    this.#send({ kind, bytes, from, to }, (station) => {
      station.answer(from.place, kind, bytes).catch(() => undefined)
    })
    return true
  }

  async connect(from: Station, to: Place, signal: AbortSignal): Promise<void> {
    if (this.isLinked(from.place, to)) return
    const init = { kind: 'dial', bytes: new Uint8Array(1), signal, timeoutMs: CONNECT_TIMEOUT_MS }
    await this.request(from, to, init)
    if (this.isLinked(from.place, to) || !this.isOpen(to) || this.isCut(from.place, to)) return
    this.#link(from.place, to)
    this.#link(to, from.place)
  }

  isLinked(from: Place, to: Place): boolean {
    return this.#links.get(from)?.has(to) === true
  }

  links(of: Place): Iterable<Place> {
    return [...(this.#links.get(of) ?? [])]
  }

  partition(groups: readonly (readonly Place[])[]): void {
    this.#groupOf.clear()
    for (const [index, group] of groups.entries()) for (const place of group) this.#groupOf.set(place, index)
    const kind = groups.length === 0 ? 'heal' : 'partition'
    this.#trace.add({ atMs: this.#scheduler.nowMs(), from: '*', to: '*', kind })
    for (const [from, others] of this.#links) {
      for (const to of others) {
        if (!this.isCut(from, to)) continue
        this.#scheduler.after(DEAD_LINK_MS, () => {
          if (this.isCut(from, to)) this.#unlink(from, to)
        })
      }
    }
  }

  isCut(from: Place, to: Place): boolean {
    const [a, b] = [this.#groupOf.get(from), this.#groupOf.get(to)]
    return a !== undefined && b !== undefined && a !== b
  }

  slow(place: Place, extraMs: number): void {
    if (extraMs === 0) this.#extraMs.delete(place)
    else this.#extraMs.set(place, extraMs)
  }

  underWay(): number {
    return this.#underWay
  }

  takeCounts(): WireCounts {
    const counts = { bytesByKind: this.#bytesByKind, messages: this.#messages }
    this.#bytesByKind = {}
    this.#messages = 0
    return counts
  }

  /** What a signal rejects when it aborts: one listener for all, for to add one to a signal costs more than to send a message. */
  #abortsOf(signal: AbortSignal): Set<Reject> {
    const known = this.#aborts.get(signal)
    if (known !== undefined) return known
    const aborts = new Set<Reject>()
    const abort = (): void => {
      for (const reject of aborts) reject(signal.reason)
    }
    signal.addEventListener('abort', abort, { once: true })
    this.#aborts.set(signal, aborts)
    return aborts
  }

  #link(from: Place, to: Place): void {
    const links = this.#links.get(from) ?? new Set()
    this.#links.set(from, links.add(to))
    this.#stations.get(from)?.linked(to, true)
  }

  #unlink(from: Place, to: Place): void {
    if (this.#links.get(from)?.delete(to) === true) this.#stations.get(from)?.linked(to, false)
  }

  /** Carries a message, unless there is no way or nobody is there when it comes. */
  #send(message: Message, arrive: (station: Station) => void): void {
    const { from, to, kind, bytes, ballastBytes = 0 } = message
    const size = bytes.length + ballastBytes + OVERHEAD_BYTES
    const nowMs = this.#scheduler.nowMs()
    this.#messages += 1
    const [what = kind] = kind.split(':', 1)
    this.#bytesByKind[what] = (this.#bytesByKind[what] ?? 0) + size
    this.#trace.add({ atMs: nowMs, from: String(from.place), to: String(to), kind, bytes })
    const sentMs =
      Math.max(nowMs, this.#upFreeMs.get(from.place) ?? 0) + size / (this.#terms.bytesPerMs ?? BYTES_PER_MS)
    this.#upFreeMs.set(from.place, sentMs)
    const jitter = 1 + this.#chance.unit() * (this.#terms.jitterRatio ?? 0)
    const lateMs = this.#stallMs(size) + (this.#extraMs.get(from.place) ?? 0) + (this.#extraMs.get(to) ?? 0)
    this.#scheduler.after(sentMs - nowMs + this.#wayMs(from.place, to) * jitter + lateMs, () => {
      const station = this.#stations.get(to)
      if (station !== undefined && !this.isCut(from.place, to)) arrive(station)
    })
  }

  #wayMs(from: Place, to: Place): number {
    const { min, max } = this.#terms.latencyMs ?? LATENCY_MS
    const [low, high] = from < to ? [from, to] : [to, from]
    // one mix of both numbers: drawn anew for each message, it must cost next to nothing
    let mixed =
      Math.imul(this.#seed ^ Math.imul(low + 1, 0x9e3779b1), 0x85ebca6b) ^ Math.imul(high + 1, 0xc2b2ae35)
    mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a2d97)
    return min + (((mixed ^ (mixed >>> 16)) >>> 0) / 2 ** 32) * (max - min)
  }

  /** How long packets of so many bytes are late because some were lost. */
  #stallMs(size: number): number {
    const loss = this.#terms.lossRatio ?? 0
    if (loss === 0) return 0
    let lost = 0
    for (let left = Math.min(size, 64 * PACKET_BYTES); left > 0; left -= PACKET_BYTES) {
      // the same packet may be lost again
      while (this.#chance.unit() < loss) lost += 1
    }
    return lost * RETRANSMISSION_MS
  }
}

type Reject = (reason: unknown) => void

interface Message {
  readonly from: Station
  readonly to: Place
  readonly kind: string
  readonly bytes: Uint8Array
  readonly ballastBytes?: number
}

function unreachable(to: Place): SimError {
  return new SimError('ERR_SIM_UNREACHABLE', `expected an answer from node ${to}, got none`)
}
