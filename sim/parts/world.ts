import { createHash } from 'node:crypto'
import type { CID } from 'multiformats/cid'
import type { Clock } from '#contracts'
import { createPeerBook, nearestOf, type PeerBook } from '#dht'
import { NODES_MAX } from '../constants.ts'
import { SimError } from '../errors.ts'
import { createRandomSource, deriveSeed, type RandomSource } from '../random-source.ts'
import type { CheckName, NetworkTerms } from '../scenario.ts'
import type { RunMark } from '../series.ts'
import { createTrace, type Trace } from '../trace.ts'
import { createHistory, type PartsHistory } from './history.ts'
import type { PartsPlant } from './plants.ts'
import type { RunningReplicas } from './replicas.ts'
import { startNode, type RunningNode, type Surroundings } from './running-node.ts'
import { createScheduler, type Owner, type Scheduler } from './scheduler.ts'
import { createSimNode, type NodeRole, type SimNode } from './sim-node.ts'
import type { KeptObject } from './steps/keep.ts'
import { createWire, type Place, type Wire } from './wire.ts'

/** What a world is made from. */
export interface WorldInit {
  readonly seed: number
  readonly seedCount: number
  readonly terms: NetworkTerms
  readonly checks: ReadonlySet<CheckName>
  readonly plant: PartsPlant
  readonly onTraceLine?: ((line: string) => void) | undefined
}

/** Peers that one book of all nodes remembers. */
const BOOK_MAX = 65_536
/** Of those a node met, how many it finds again after a restart. */
const KNOWN_MAX = 20

/** All nodes, the network between them, and what happened. */
export class World implements Surroundings {
  readonly scheduler: Scheduler = createScheduler()
  readonly book: PeerBook = createPeerBook(BOOK_MAX)
  readonly trace: Trace
  readonly wire: Wire
  readonly plant: PartsPlant
  readonly history: PartsHistory
  /** What the scenario leaves to chance. */
  readonly random: RandomSource
  /** For what is done to the nodes; it outlives all of them. */
  readonly clock: Clock
  readonly seeds: Place[] = []
  readonly marks: RunMark[] = []
  /** How long searches took since the last sample. */
  lookupMs: number[] = []
  /** How many rounds they took. */
  lookupRounds: number[] = []
  /** How many failed since then, or found nobody although somebody is there. */
  lookupsFailed = 0
  /** What shall have copies. */
  readonly objects: KeptObject[] = []
  /** Replication on the nodes that run. */
  readonly replicas: WeakMap<RunningNode, Promise<RunningReplicas>> = new WeakMap()
  /** Names that were published at least once. */
  readonly publishedBefore: Set<string> = new Set()
  readonly #seed: number
  readonly #nodes: SimNode[] = []
  readonly #places = new Map<string, Place>()
  readonly #placesOfDids = new Map<string, Place>()
  readonly #onRelease: ((head: CID) => void)[] = []
  readonly #onStart: ((running: RunningNode) => void)[] = []
  readonly #onEnd: ((running: RunningNode) => void)[] = []
  readonly #owner: Owner = { isDead: false }
  readonly #readers = new Map<string, readonly SimNode[]>()
  #wholeFromMs = 0
  #goneCount = 0

  constructor({ seed, seedCount, terms, checks, plant, onTraceLine }: WorldInit) {
    this.#seed = seed
    this.plant = plant
    this.trace = createTrace(onTraceLine)
    this.wire = createWire(this, deriveSeed(seed, 'wire'), terms)
    this.history = createHistory(() => this.scheduler.nowMs(), checks)
    this.random = createRandomSource(deriveSeed(seed, 'scenario'))
    this.clock = this.scheduler.clockOf(this.#owner)
    for (let index = 0; index < seedCount; index++) this.seeds.push(this.add('seed').place)
  }

  /**
   * Makes a device that does not run yet.
   *
   * @throws SimError `ERR_SIM_NODES`: however many steps of a scenario add some, there are no more than it may have
   */
  add(role: NodeRole = 'peer'): SimNode {
    const place = this.#nodes.length
    if (place - this.#goneCount >= NODES_MAX.parts) {
      throw new SimError('ERR_SIM_NODES', `expected at most ${NODES_MAX.parts} nodes at a time`)
    }
    const node = createSimNode(this.book, this.#seed, { place, role })
    node.disk.isHasty = this.plant.isHastyDisk
    this.#nodes.push(node)
    this.#places.set(node.peer.peerId, place)
    this.#placesOfDids.set(node.keyPair.did, place)
    return node
  }

  nodeAt(place: Place): SimNode | undefined {
    return this.#nodes[place]
  }

  placeOfDid(did: string): Place | undefined {
    return this.#placesOfDids.get(did)
  }

  /** Calls `task` with every block that is released. */
  onRelease(task: (head: CID) => void): void {
    this.#onRelease.push(task)
  }

  released(head: CID): void {
    for (const task of this.#onRelease) task(head)
  }

  placeOf(peerId: string): Place | undefined {
    return this.#places.get(peerId)
  }

  /** Calls `task` for every node that runs, and for each that starts from now on. */
  onStart(task: (running: RunningNode) => void): void {
    this.#onStart.push(task)
    for (const running of this.everybody()) task(running)
  }

  /** Calls `task` for each node that ends, before it is off the network. */
  onEnd(task: (running: RunningNode) => void): void {
    this.#onEnd.push(task)
  }

  start(node: SimNode): void {
    if (node.running !== undefined || node.isGone) return
    const running = startNode(this, node)
    node.running = running
    this.#note(node, 'start')
    for (const task of this.#onStart) task(running)
  }

  /** The power of a node fails: nobody is told, and of its disk stays what is durable. */
  crash(node: SimNode): void {
    const { running } = node
    if (running === undefined) return
    for (const task of this.#onEnd) task(running)
    node.knownPlaces = running.dht.table
      .peerIds()
      .slice(-KNOWN_MAX)
      .flatMap((peerId) => this.placeOf(peerId) ?? [])
    running.owner.isDead = true
    node.running = undefined
    this.wire.close(running.station)
    node.disk.crash()
    this.#note(node, 'crash')
  }

  /** A node goes for good, with its disk. */
  remove(node: SimNode): void {
    this.crash(node)
    if (!node.isGone) this.#goneCount += 1
    node.isGone = true
    node.knownPlaces = []
  }

  /** Nodes of people that run, in the order in which they were made. */
  running(role: NodeRole = 'peer'): RunningNode[] {
    return this.#nodes.flatMap(({ running, role: is }) =>
      running !== undefined && is === role ? [running] : []
    )
  }

  /** Everybody who runs. */
  everybody(): RunningNode[] {
    return this.#nodes.flatMap(({ running }) => running ?? [])
  }

  devices(): readonly SimNode[] {
    return this.#nodes
  }

  /** Some of them, each at most once, as chance picks them. */
  pick<T>(items: readonly T[], count: number): T[] {
    const left = [...items]
    const picked: T[] = []
    while (picked.length < count && left.length > 0) {
      const [one] = left.splice(Math.floor(this.random.unit() * left.length), 1)
      if (one !== undefined) picked.push(one)
    }
    return picked
  }

  /** The PeerIds of those who run that are truly nearest to a key. */
  nearestRunning(key: Uint8Array, count: number, except: SimNode): string[] {
    const target = createHash('sha256').update(key).digest()
    const peers = this.everybody().flatMap(({ node }) => (node === except ? [] : [node.peer]))
    return nearestOf(target, peers, count).map(({ peerId }) => peerId)
  }

  /** Who reads a name: the same devices each time, as long as they are there. */
  readersOf(name: string, count: number): readonly SimNode[] {
    const readers = (this.#readers.get(name) ?? []).filter(({ isGone }) => !isGone)
    const free = this.running().flatMap(({ node }) => (readers.includes(node) ? [] : [node]))
    const all = [...readers, ...this.pick(free, count - readers.length)]
    this.#readers.set(name, all)
    return all
  }

  /** Whether the network is as people expect it: whole, and for so long. */
  isCalm(forMs: number): boolean {
    return this.scheduler.nowMs() >= this.#wholeFromMs + forMs
  }

  /** Says that the network is disturbed for so long. */
  disturb(durationMs: number): void {
    this.#wholeFromMs = Math.max(this.#wholeFromMs, this.scheduler.nowMs() + durationMs)
  }

  mark(what: string): void {
    this.marks.push({ atMs: this.scheduler.nowMs(), what })
  }

  /** Ends everything: no timer of anybody rings any more. */
  end(): void {
    this.#owner.isDead = true
    for (const { owner } of this.everybody()) owner.isDead = true
  }

  #note({ place }: SimNode, kind: string): void {
    this.trace.add({ atMs: this.scheduler.nowMs(), from: String(place), to: '*', kind })
  }
}

/** A signal that aborts after so long. */
export function within(clock: Clock, durationMs: number): AbortSignal {
  const stop = new AbortController()
  clock.after(durationMs, () => stop.abort(new Error('expected it to be done in time')))
  return stop.signal
}
