import { CANDIDATES_KEPT, GONE_KEPT, SEARCHES_MAX, type LookupRules } from './constants.ts'
import type { Named } from './answer-pool.ts'
import { grown } from './event-wheel.ts'
import type { Handle } from './identities.ts'

/** Nobody to ask. */
export const NOBODY = -1

/** States of a candidate, in the lowest bits of its notes. */
const FRESH = 0
const ASKED = 1
const ANSWERED = 2
const STATE_MASK = 3
/** Whether the node that searches is connected to a candidate: the next bits. */
const CONNECTED = 4
const STRANGER = 8
const LINK_MASK = 12
/** Above them, at which depth it was asked. */
const DEPTH_SHIFT = 4

/** What {@link Searches} need to know of the nodes. */
export interface SearchNodes {
  readonly idOf: (handle: Handle) => number
  /** Whether a node is connected to a peer. */
  readonly isConnected: (slot: number, peer: Handle) => boolean
}

/** How a search begins. */
export interface SearchStart {
  /** Who looks. */
  readonly slot: number
  readonly owner: Handle
  readonly target: number
  /** Whether each of the nearest has to answer. */
  readonly isThorough: boolean
  /** What it is for; the meaning is that of the model. */
  readonly purpose: number
  readonly nowMs: number
}

/**
 * Searches under way, each a row of typed arrays: the state machine of `dht/query/search.ts` without the word of peers about
 * each other. A search is a number; its `version` tells it from those that had the number before.
 */
export class Searches {
  slots: Int32Array
  owners: Uint32Array
  targets: Uint32Array
  versions: Uint32Array
  purposes: Uint8Array
  startedMs: Int32Array
  messages: Uint8Array
  failures: Uint8Array
  /** The longest chain of questions of which each was asked because of the answer to the one before. */
  rounds: Uint8Array
  readonly #rules: LookupRules
  readonly #nodes: SearchNodes
  #isThorough: Uint8Array
  #inFlight: Uint8Array
  #answers: Uint8Array
  #stable: Uint8Array
  #dials: Uint8Array
  #live: Uint8Array
  #gone: Uint8Array
  /** Rows of candidates, nearest first. */
  #peers: Uint32Array
  #distances: Uint32Array
  #notes: Uint16Array
  #goners: Uint32Array
  readonly #free: number[] = []
  #used = 0

  constructor(rules: LookupRules, nodes: SearchNodes) {
    this.#rules = rules
    this.#nodes = nodes
    this.slots = new Int32Array(0)
    this.owners =
      this.targets =
      this.versions =
      this.#peers =
      this.#distances =
      this.#goners =
        new Uint32Array(0)
    this.startedMs = new Int32Array(0)
    this.purposes =
      this.messages =
      this.failures =
      this.rounds =
      this.#isThorough =
      this.#inFlight =
        new Uint8Array(0)
    this.#answers = this.#stable = this.#dials = this.#live = this.#gone = new Uint8Array(0)
    this.#notes = new Uint16Array(0)
    this.#grow(64)
  }

  /** How many there was room for at once. */
  get capacity(): number {
    return this.slots.length
  }

  /** Bytes of the arrays. */
  get bytes(): number {
    return this.capacity * (29 + CANDIDATES_KEPT * 10 + GONE_KEPT * 4)
  }

  /** How many answers are waited for. */
  inFlight(search: number): number {
    return this.#inFlight[search] as number
  }

  /** Whether one more may be asked now. */
  hasRoom(search: number): boolean {
    const { parallel, parallelThorough } = this.#rules
    const mustConfirm = this.#isThorough[search] === 1 || this.failures[search] !== 0
    return (this.#inFlight[search] as number) < (mustConfirm ? parallelThorough : parallel)
  }

  /** A search that knows nobody yet. */
  open(start: SearchStart): number {
    const search = this.#free.pop() ?? this.#used++
    if (search === this.capacity) this.#grow(Math.ceil(search * 1.5))
    this.slots[search] = start.slot
    this.owners[search] = start.owner
    this.targets[search] = start.target
    this.purposes[search] = start.purpose
    this.startedMs[search] = start.nowMs
    this.#isThorough[search] = start.isThorough ? 1 : 0
    for (const counts of [this.messages, this.failures, this.rounds, this.#inFlight, this.#answers])
      counts[search] = 0
    for (const counts of [this.#stable, this.#dials, this.#live, this.#gone]) counts[search] = 0
    return search
  }

  /** Ends a search; what is still under way for it counts for nothing. */
  close(search: number): void {
    this.versions[search] = ((this.versions[search] as number) + 1) & 0x7ff
    this.#free.push(search)
  }

  /** Takes peers of the own table for candidates. */
  begin(search: number, peers: Uint32Array, count: number): void {
    for (let index = 0; index < count; index++) this.#add(search, peers[index] as number)
  }

  /** Whether the goal is reached. */
  isEnough(search: number): boolean {
    const { answersMin, stableAnswersMin } = this.#rules
    if (
      this.#isThorough[search] === 0 &&
      this.#isStable(search, { coming: 0, answersMin, stableAnswersMin, stateMin: ANSWERED })
    ) {
      return true
    }
    return (this.#live[search] as number) > 0 && this.#haveState(search, this.#rules.closestPeers, ANSWERED)
  }

  /** Whom to ask now, noted as asked because of something at this depth; {@link NOBODY} when nobody is to be asked. */
  next(search: number, depth: number): Handle {
    const { messagesMax, answersMin, stableAnswersMin } = this.#rules
    const coming = this.#inFlight[search] as number
    if ((this.messages[search] as number) >= messagesMax) return NOBODY
    if (
      this.#isThorough[search] === 0 &&
      this.#isStable(search, { coming, answersMin, stableAnswersMin, stateMin: ASKED })
    ) {
      return NOBODY
    }
    const at = this.#pick(search)
    if (at === NOBODY) return NOBODY
    const link = (this.#notes[at] as number) & LINK_MASK
    if (link !== CONNECTED) this.#dials[search] = (this.#dials[search] as number) + 1
    this.#notes[at] = ((depth + 1) << DEPTH_SHIFT) | link | ASKED
    this.messages[search] = (this.messages[search] as number) + 1
    this.#inFlight[search] = coming + 1
    return this.#peers[at] as number
  }

  /** Notes an answer and whom it names, and returns how deep it was. */
  answered(search: number, peer: Handle, named: Named): number {
    const at = this.#placeOf(search, peer)
    this.#inFlight[search] = (this.#inFlight[search] as number) - 1
    if (at < 0) return 0
    const depth = (this.#notes[at] as number) >>> DEPTH_SHIFT
    this.#notes[at] = (depth << DEPTH_SHIFT) | ANSWERED
    if (depth > (this.rounds[search] as number)) this.rounds[search] = depth
    this.#answers[search] = (this.#answers[search] as number) + 1
    let isNearer = false
    for (let index = 0; index < named.count; index++) {
      if (this.#name(search, named.peers[index] as number)) isNearer = true
    }
    this.#stable[search] = isNearer ? 0 : (this.#stable[search] as number) + 1
    return depth
  }

  /** Notes that a peer does not answer, and returns how deep it was. */
  failed(search: number, peer: Handle): number {
    this.#inFlight[search] = (this.#inFlight[search] as number) - 1
    this.failures[search] = (this.failures[search] as number) + 1
    const gone = this.#gone[search] as number
    if (gone < GONE_KEPT) {
      this.#goners[search * GONE_KEPT + gone] = peer
      this.#gone[search] = gone + 1
    }
    const at = this.#placeOf(search, peer)
    if (at < 0) return 0
    const depth = (this.#notes[at] as number) >>> DEPTH_SHIFT
    const last = search * CANDIDATES_KEPT + (this.#live[search] as number) - 1
    this.#close(at, last)
    this.#live[search] = (this.#live[search] as number) - 1
    return depth
  }

  /** The nearest that have not failed, nearest first. */
  nearest(search: number): Uint32Array {
    const from = search * CANDIDATES_KEPT
    return this.#peers.slice(from, from + Math.min(this.#live[search] as number, this.#rules.closestPeers))
  }

  #isStable(
    search: number,
    o: { coming: number; answersMin: number; stableAnswersMin: number; stateMin: number }
  ): boolean {
    const live = this.#live[search] as number
    const answers = (this.#answers[search] as number) + o.coming
    if (this.failures[search] !== 0 || live === 0 || answers < Math.min(o.answersMin, live)) return false
    if ((this.#stable[search] as number) + o.coming < Math.min(o.stableAnswersMin, live)) return false
    return this.#haveState(search, this.#rules.nearestAnsweredMin, o.stateMin)
  }

  /** Whether the nearest `count` have at least a state. */
  #haveState(search: number, count: number, stateMin: number): boolean {
    const from = search * CANDIDATES_KEPT
    const to = from + Math.min(this.#live[search] as number, count)
    for (let at = from; at < to; at++) if (((this.#notes[at] as number) & STATE_MASK) < stateMin) return false
    return true
  }

  #pick(search: number): number {
    const { closestPeers, connectedWindow, dialsMax, answersMin, nearestAnsweredMin } = this.#rules
    const from = search * CANDIDATES_KEPT
    const to = from + Math.min(this.#live[search] as number, closestPeers)
    const mayDial = (this.#dials[search] as number) < dialsMax
    // enough have answered: only the nearest can still keep it from its end
    const isDue = (this.#answers[search] as number) + (this.#inFlight[search] as number) >= answersMin
    let first = NOBODY
    let seen = 0
    for (let at = from; at < to && seen < connectedWindow; at++) {
      const notes = this.#notes[at] as number
      if ((notes & STATE_MASK) !== FRESH) continue
      if (isDue && at - from < nearestAnsweredMin && mayDial) return at
      if (this.#isConnectedTo(search, at)) return at
      if (first === NOBODY) first = at
      seen++
    }
    return mayDial ? first : NOBODY
  }

  #isConnectedTo(search: number, at: number): boolean {
    const notes = this.#notes[at] as number
    if ((notes & LINK_MASK) !== 0) return (notes & LINK_MASK) === CONNECTED
    const isConnected = this.#nodes.isConnected(this.slots[search] as number, this.#peers[at] as number)
    this.#notes[at] = notes | (isConnected ? CONNECTED : STRANGER)
    return isConnected
  }

  #name(search: number, peer: Handle): boolean {
    if (peer === this.owners[search]) return false
    const from = search * GONE_KEPT
    for (let at = from; at < from + (this.#gone[search] as number); at++)
      if (this.#goners[at] === peer) return false
    return this.#add(search, peer)
  }

  /** Takes note of a peer; `true` when it is new and now among the nearest. */
  #add(search: number, peer: Handle): boolean {
    const from = search * CANDIDATES_KEPT
    const live = this.#live[search] as number
    const distance = (this.#nodes.idOf(peer) ^ (this.targets[search] as number)) >>> 0
    // most of those named late are farther than all that are kept
    if (live === CANDIDATES_KEPT && distance > (this.#distances[from + live - 1] as number)) return false
    const at = this.#lowerBound(from, from + live, distance)
    const index = at - from
    if (index < live && this.#distances[at] === distance) return false
    this.#open(at, from + Math.min(live, CANDIDATES_KEPT - 1))
    this.#peers[at] = peer
    this.#distances[at] = distance
    this.#notes[at] = FRESH
    if (live < CANDIDATES_KEPT) this.#live[search] = live + 1
    return index < this.#rules.closestPeers
  }

  #placeOf(search: number, peer: Handle): number {
    const from = search * CANDIDATES_KEPT
    const to = from + (this.#live[search] as number)
    const distance = (this.#nodes.idOf(peer) ^ (this.targets[search] as number)) >>> 0
    const at = this.#lowerBound(from, to, distance)
    return at < to && this.#distances[at] === distance ? at : NOBODY
  }

  #lowerBound(from: number, to: number, distance: number): number {
    let low = from
    let high = to
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((this.#distances[middle] as number) < distance) low = middle + 1
      else high = middle
    }
    return low
  }

  /** Makes room for one: `at` and those up to `end` move by one place to the back. */
  #open(at: number, end: number): void {
    for (let to = end; to > at; to--) {
      this.#peers[to] = this.#peers[to - 1] as number
      this.#distances[to] = this.#distances[to - 1] as number
      this.#notes[to] = this.#notes[to - 1] as number
    }
  }

  /** Closes the gap at `at`: those behind it, up to `end`, move by one place to the front. */
  #close(at: number, end: number): void {
    for (let to = at; to < end; to++) {
      this.#peers[to] = this.#peers[to + 1] as number
      this.#distances[to] = this.#distances[to + 1] as number
      this.#notes[to] = this.#notes[to + 1] as number
    }
  }

  #grow(capacity: number): void {
    if (capacity > SEARCHES_MAX) throw new RangeError(`expected at most ${SEARCHES_MAX} searches at once`)
    const bytes = (old: Uint8Array, width = 1): Uint8Array => grown(old, new Uint8Array(capacity * width))
    const words = (old: Uint32Array, width = 1): Uint32Array => grown(old, new Uint32Array(capacity * width))
    this.slots = grown(this.slots, new Int32Array(capacity))
    this.startedMs = grown(this.startedMs, new Int32Array(capacity))
    this.owners = words(this.owners)
    this.targets = words(this.targets)
    this.versions = words(this.versions)
    this.purposes = bytes(this.purposes)
    this.messages = bytes(this.messages)
    this.failures = bytes(this.failures)
    this.rounds = bytes(this.rounds)
    this.#isThorough = bytes(this.#isThorough)
    this.#inFlight = bytes(this.#inFlight)
    this.#answers = bytes(this.#answers)
    this.#stable = bytes(this.#stable)
    this.#dials = bytes(this.#dials)
    this.#live = bytes(this.#live)
    this.#gone = bytes(this.#gone)
    this.#peers = words(this.#peers, CANDIDATES_KEPT)
    this.#distances = words(this.#distances, CANDIDATES_KEPT)
    this.#notes = grown(this.#notes, new Uint16Array(capacity * CANDIDATES_KEPT))
    this.#goners = words(this.#goners, GONE_KEPT)
  }
}
