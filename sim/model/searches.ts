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

/** A search is so many bytes that lie together: words, counts, and then rows of candidates. */
const NODE = 0
const OWNER = 1
const TARGET = 2
const STARTED = 3
const VERSION = 4
const COUNTS = 20
const PURPOSE = COUNTS
const MESSAGES = COUNTS + 1
const FAILURES = COUNTS + 2
const ROUNDS = COUNTS + 3
const THOROUGH = COUNTS + 4
const IN_FLIGHT = COUNTS + 5
const ANSWERS = COUNTS + 6
const STABLE = COUNTS + 7
const DIALS = COUNTS + 8
const LIVE = COUNTS + 9
const GONE = COUNTS + 10
const COUNTS_END = COUNTS + 11
/** Where rows begin, in words: distances, peers, those that are gone, and notes of half a word each. */
const DISTANCES = 8
const PEERS = DISTANCES + CANDIDATES_KEPT
const GONERS = PEERS + CANDIDATES_KEPT
const NOTES = GONERS + GONE_KEPT
const WORDS = NOTES + CANDIDATES_KEPT / 2
const HALVES = 2 * WORDS
const ROW_BYTES = 4 * WORDS

/** What {@link Searches} need to know of the nodes. */
export interface SearchNodes {
  /** How far a life is from a target, as 31 bits. */
  readonly distance: (handle: Handle, target: number) => number
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
  readonly #rules: LookupRules
  readonly #nodes: SearchNodes
  #words: Int32Array
  #bytes: Uint8Array
  #notes: Uint16Array
  readonly #free: number[] = []
  #used = 0

  constructor(rules: LookupRules, nodes: SearchNodes) {
    this.#rules = rules
    this.#nodes = nodes
    this.#words = new Int32Array(64 * WORDS)
    this.#bytes = new Uint8Array(this.#words.buffer)
    this.#notes = new Uint16Array(this.#words.buffer)
  }

  /** How many there was room for at once. */
  get capacity(): number {
    return this.#words.length / WORDS
  }

  /** Bytes of the arrays. */
  get bytes(): number {
    return this.#words.byteLength
  }

  /** Who looks, and the life that it is in. */
  nodeOf(search: number): number {
    return this.#words[search * WORDS + NODE] as number
  }

  ownerOf(search: number): Handle {
    return this.#words[search * WORDS + OWNER] as number
  }

  /** What is looked for: 32 bits, with a sign. */
  targetOf(search: number): number {
    return this.#words[search * WORDS + TARGET] as number
  }

  startedMs(search: number): number {
    return this.#words[search * WORDS + STARTED] as number
  }

  versionOf(search: number): number {
    return this.#words[search * WORDS + VERSION] as number
  }

  purposeOf(search: number): number {
    return this.#get(search, PURPOSE)
  }

  messagesOf(search: number): number {
    return this.#get(search, MESSAGES)
  }

  failuresOf(search: number): number {
    return this.#get(search, FAILURES)
  }

  /** The longest chain of questions of which each was asked because of the answer to the one before. */
  roundsOf(search: number): number {
    return this.#get(search, ROUNDS)
  }

  /** How many answers are waited for. */
  inFlight(search: number): number {
    return this.#get(search, IN_FLIGHT)
  }

  /** Whether one more may be asked now. */
  hasRoom(search: number): boolean {
    const { parallel, parallelThorough } = this.#rules
    const mustConfirm = this.#get(search, THOROUGH) === 1 || this.#get(search, FAILURES) !== 0
    return this.#get(search, IN_FLIGHT) < (mustConfirm ? parallelThorough : parallel)
  }

  /** A search that knows nobody yet. */
  open(start: SearchStart): number {
    const search = this.#free.pop() ?? this.#used++
    if (search === this.capacity) this.#grow(Math.ceil(search * 1.5))
    const words = search * WORDS
    this.#words[words + NODE] = start.slot
    this.#words[words + OWNER] = start.owner
    this.#words[words + TARGET] = start.target
    this.#words[words + STARTED] = start.nowMs
    const from = search * ROW_BYTES
    for (let at = from + COUNTS; at < from + COUNTS_END; at++) this.#bytes[at] = 0
    this.#bytes[from + PURPOSE] = start.purpose
    this.#bytes[from + THOROUGH] = start.isThorough ? 1 : 0
    return search
  }

  /** Ends a search; what is still under way for it counts for nothing. */
  close(search: number): void {
    this.#words[search * WORDS + VERSION] = (this.versionOf(search) + 1) & 0x7ff
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
      this.#get(search, THOROUGH) === 0 &&
      this.#isStable(search, { coming: 0, answersMin, stableAnswersMin, stateMin: ANSWERED })
    ) {
      return true
    }
    return this.#get(search, LIVE) > 0 && this.#haveState(search, this.#rules.closestPeers, ANSWERED)
  }

  /** Whom to ask now, noted as asked because of something at this depth; {@link NOBODY} when nobody is to be asked. */
  next(search: number, depth: number): Handle {
    const { messagesMax, answersMin, stableAnswersMin } = this.#rules
    const coming = this.#get(search, IN_FLIGHT)
    if (this.#get(search, MESSAGES) >= messagesMax) return NOBODY
    if (
      this.#get(search, THOROUGH) === 0 &&
      this.#isStable(search, { coming, answersMin, stableAnswersMin, stateMin: ASKED })
    ) {
      return NOBODY
    }
    const at = this.#pick(search)
    if (at === NOBODY) return NOBODY
    const link = this.#noteOf(search, at) & LINK_MASK
    if (link !== CONNECTED) this.#set(search, DIALS, this.#get(search, DIALS) + 1)
    this.#note(search, at, ((depth + 1) << DEPTH_SHIFT) | link | ASKED)
    this.#set(search, MESSAGES, this.#get(search, MESSAGES) + 1)
    this.#set(search, IN_FLIGHT, coming + 1)
    return this.#peerOf(search, at)
  }

  /** Notes an answer and whom it names, and returns how deep it was. */
  answered(search: number, peer: Handle, named: Named): number {
    const at = this.#placeOf(search, peer)
    this.#set(search, IN_FLIGHT, this.#get(search, IN_FLIGHT) - 1)
    if (at < 0) return 0
    const depth = this.#noteOf(search, at) >>> DEPTH_SHIFT
    this.#note(search, at, (depth << DEPTH_SHIFT) | ANSWERED)
    if (depth > this.#get(search, ROUNDS)) this.#set(search, ROUNDS, depth)
    this.#set(search, ANSWERS, this.#get(search, ANSWERS) + 1)
    let isNearer = false
    for (let index = 0; index < named.count; index++) {
      if (this.#name(search, named.peers[index] as number)) isNearer = true
    }
    this.#set(search, STABLE, isNearer ? 0 : this.#get(search, STABLE) + 1)
    return depth
  }

  /** Notes that a peer does not answer, and returns how deep it was. */
  failed(search: number, peer: Handle): number {
    this.#set(search, IN_FLIGHT, this.#get(search, IN_FLIGHT) - 1)
    this.#set(search, FAILURES, this.#get(search, FAILURES) + 1)
    const gone = this.#get(search, GONE)
    if (gone < GONE_KEPT) {
      this.#words[search * WORDS + GONERS + gone] = peer
      this.#set(search, GONE, gone + 1)
    }
    const at = this.#placeOf(search, peer)
    if (at < 0) return 0
    const depth = this.#noteOf(search, at) >>> DEPTH_SHIFT
    const live = this.#get(search, LIVE) - 1
    this.#close(search, at, live)
    this.#set(search, LIVE, live)
    return depth
  }

  /** The nearest that have not failed, nearest first. */
  nearest(search: number): Uint32Array {
    const from = search * WORDS + PEERS
    const count = Math.min(this.#get(search, LIVE), this.#rules.closestPeers)
    return new Uint32Array(this.#words.subarray(from, from + count))
  }

  #isStable(
    search: number,
    o: { coming: number; answersMin: number; stableAnswersMin: number; stateMin: number }
  ): boolean {
    const live = this.#get(search, LIVE)
    const answers = this.#get(search, ANSWERS) + o.coming
    if (this.#get(search, FAILURES) !== 0 || live === 0 || answers < Math.min(o.answersMin, live))
      return false
    if (this.#get(search, STABLE) + o.coming < Math.min(o.stableAnswersMin, live)) return false
    return this.#haveState(search, this.#rules.nearestAnsweredMin, o.stateMin)
  }

  /** Whether the nearest `count` have at least a state. */
  #haveState(search: number, count: number, stateMin: number): boolean {
    const to = Math.min(this.#get(search, LIVE), count)
    for (let at = 0; at < to; at++) if ((this.#noteOf(search, at) & STATE_MASK) < stateMin) return false
    return true
  }

  #pick(search: number): number {
    const { closestPeers, connectedWindow, dialsMax, answersMin, nearestAnsweredMin } = this.#rules
    const to = Math.min(this.#get(search, LIVE), closestPeers)
    const mayDial = this.#get(search, DIALS) < dialsMax
    // enough have answered: only the nearest can still keep it from its end
    const isDue = this.#get(search, ANSWERS) + this.#get(search, IN_FLIGHT) >= answersMin
    let first = NOBODY
    let seen = 0
    for (let at = 0; at < to && seen < connectedWindow; at++) {
      if ((this.#noteOf(search, at) & STATE_MASK) !== FRESH) continue
      if (isDue && at < nearestAnsweredMin && mayDial) return at
      if (this.#isConnectedTo(search, at)) return at
      if (first === NOBODY) first = at
      seen++
    }
    return mayDial ? first : NOBODY
  }

  #isConnectedTo(search: number, at: number): boolean {
    const notes = this.#noteOf(search, at)
    if ((notes & LINK_MASK) !== 0) return (notes & LINK_MASK) === CONNECTED
    const isConnected = this.#nodes.isConnected(this.nodeOf(search), this.#peerOf(search, at))
    this.#note(search, at, notes | (isConnected ? CONNECTED : STRANGER))
    return isConnected
  }

  #name(search: number, peer: Handle): boolean {
    if (peer === this.ownerOf(search)) return false
    const from = search * WORDS + GONERS
    const to = from + this.#get(search, GONE)
    for (let at = from; at < to; at++) if (this.#words[at] === peer) return false
    return this.#add(search, peer)
  }

  /** Takes note of a peer; `true` when it is new and now among the nearest. */
  #add(search: number, peer: Handle): boolean {
    const live = this.#get(search, LIVE)
    const distance = this.#nodes.distance(peer, this.targetOf(search))
    const distances = search * WORDS + DISTANCES
    // most of those named late are farther than all that are kept
    if (live === CANDIDATES_KEPT && distance > (this.#words[distances + live - 1] as number)) return false
    let at = this.#lowerBound(distances, live, distance)
    for (; at < live && this.#words[distances + at] === distance; at++)
      if (this.#peerOf(search, at) === peer) return false
    if (at === CANDIDATES_KEPT) return false
    this.#open(search, at, Math.min(live, CANDIDATES_KEPT - 1))
    this.#words[search * WORDS + PEERS + at] = peer
    this.#words[distances + at] = distance
    this.#note(search, at, FRESH)
    if (live < CANDIDATES_KEPT) this.#set(search, LIVE, live + 1)
    return at < this.#rules.closestPeers
  }

  #placeOf(search: number, peer: Handle): number {
    const live = this.#get(search, LIVE)
    const distance = this.#nodes.distance(peer, this.targetOf(search))
    const distances = search * WORDS + DISTANCES
    let at = this.#lowerBound(distances, live, distance)
    for (; at < live && this.#words[distances + at] === distance; at++)
      if (this.#peerOf(search, at) === peer) return at
    return NOBODY
  }

  /**
   * How many of `count` distances are less than one. Which half it goes on in is computed, not branched on: nobody could predict
   * it.
   */
  #lowerBound(from: number, count: number, distance: number): number {
    const words = this.#words
    let low = from
    let left = count
    while (left > 0) {
      const half = (left + 1) >>> 1
      const isLess = (((words[low + half - 1] as number) - distance) | 0) >> 31
      low += half & isLess
      left = (left - half) | 0
    }
    return low - from
  }

  /** Makes room for one: `at` and those up to `end` move by one place to the back. */
  #open(search: number, at: number, end: number): void {
    const [distances, peers] = [search * WORDS + DISTANCES, search * WORDS + PEERS]
    const notes = search * HALVES + 2 * NOTES
    for (let to = end; to > at; to--) this.#words[distances + to] = this.#words[distances + to - 1] as number
    for (let to = end; to > at; to--) this.#words[peers + to] = this.#words[peers + to - 1] as number
    for (let to = end; to > at; to--) this.#notes[notes + to] = this.#notes[notes + to - 1] as number
  }

  /** Closes the gap at `at`: those behind it, up to `end`, move by one place to the front. */
  #close(search: number, at: number, end: number): void {
    const [distances, peers] = [search * WORDS + DISTANCES, search * WORDS + PEERS]
    const notes = search * HALVES + 2 * NOTES
    for (let to = at; to < end; to++) {
      this.#words[distances + to] = this.#words[distances + to + 1] as number
      this.#words[peers + to] = this.#words[peers + to + 1] as number
      this.#notes[notes + to] = this.#notes[notes + to + 1] as number
    }
  }

  #get(search: number, count: number): number {
    return this.#bytes[search * ROW_BYTES + count] as number
  }

  #set(search: number, count: number, value: number): void {
    this.#bytes[search * ROW_BYTES + count] = value
  }

  #peerOf(search: number, at: number): Handle {
    return this.#words[search * WORDS + PEERS + at] as number
  }

  #noteOf(search: number, at: number): number {
    return this.#notes[search * HALVES + 2 * NOTES + at] as number
  }

  #note(search: number, at: number, notes: number): void {
    this.#notes[search * HALVES + 2 * NOTES + at] = notes
  }

  #grow(capacity: number): void {
    if (capacity > SEARCHES_MAX) throw new RangeError(`expected at most ${SEARCHES_MAX} searches at once`)
    this.#words = grown(this.#words, new Int32Array(capacity * WORDS))
    this.#bytes = new Uint8Array(this.#words.buffer)
    this.#notes = new Uint16Array(this.#words.buffer)
  }
}
