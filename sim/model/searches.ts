import { CANDIDATES_KEPT, GONE_KEPT, SEARCHES_MAX, type LookupRules } from './constants.ts'
import type { Named } from './answer-pool.ts'
import { grown } from './event-wheel.ts'
import { apart, type Handle } from './identities.ts'
import type { SearchNodes, SearchStart } from './lookup-types.ts'

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
/** Where rows begin, in words: notes of half a word each, distances, and how far those are that are gone. */
const NOTES = 8
const DISTANCES = NOTES + CANDIDATES_KEPT / 2
const GONERS = DISTANCES + CANDIDATES_KEPT
const WORDS = GONERS + GONE_KEPT
const ROW_BYTES = 4 * WORDS
/** What memory brings at once. */
const LINE_WORDS = 16

/**
 * Searches under way, each a row of typed arrays: the state machine of `dht/query/search.ts` without the word of peers about
 * each other. A search is a number; its `version` tells it from those that had the number before. Peers are known by how far they
 * are from the target ({@link apart}), which nobody else is.
 */
export class Searches {
  readonly #rules: LookupRules
  readonly #nodes: SearchNodes
  #words: Int32Array
  #bytes: Uint8Array
  #notes: Uint16Array
  readonly #free: number[] = []
  #used = 0
  /** Those of an answer that are new, nearest first. */
  readonly #fresh: Int32Array

  constructor(rules: LookupRules, nodes: SearchNodes) {
    this.#rules = rules
    this.#nodes = nodes
    this.#fresh = new Int32Array(rules.closestPeers)
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
  begin(search: number, named: Named): void {
    this.#merge(search, named)
  }

  /** Whether the goal is reached. */
  isEnough(search: number): boolean {
    if (this.#get(search, THOROUGH) === 0 && this.#isStable(search, 0, ANSWERED)) return true
    return this.#get(search, LIVE) > 0 && this.#haveState(search, this.#rules.closestPeers, ANSWERED)
  }

  /**
   * The place of whom to ask now, noted as asked because of something at this depth, for {@link idAt}; {@link NOBODY} when nobody
   * is to be asked.
   */
  next(search: number, depth: number): number {
    const coming = this.#get(search, IN_FLIGHT)
    if (this.#get(search, MESSAGES) >= this.#rules.messagesMax) return NOBODY
    if (this.#get(search, THOROUGH) === 0 && this.#isStable(search, coming, ASKED)) return NOBODY
    const at = this.#pick(search)
    if (at === NOBODY) return NOBODY
    const link = this.#noteOf(search, at) & LINK_MASK
    if (link !== CONNECTED) this.#set(search, DIALS, this.#get(search, DIALS) + 1)
    this.#note(search, at, ((depth + 1) << DEPTH_SHIFT) | link | ASKED)
    this.#set(search, MESSAGES, this.#get(search, MESSAGES) + 1)
    this.#set(search, IN_FLIGHT, coming + 1)
    return at
  }

  /** The id of a candidate. */
  idAt(search: number, at: number): number {
    return apart(this.#words[search * WORDS + DISTANCES + at] as number, this.targetOf(search))
  }

  /** Notes the answer of a peer and whom it names, and returns how deep it was. */
  answered(search: number, id: number, named: Named): number {
    const at = this.#placeOf(search, apart(id, this.targetOf(search)))
    this.#set(search, IN_FLIGHT, this.#get(search, IN_FLIGHT) - 1)
    if (at < 0) return 0
    const depth = this.#noteOf(search, at) >>> DEPTH_SHIFT
    this.#note(search, at, (depth << DEPTH_SHIFT) | ANSWERED)
    if (depth > this.#get(search, ROUNDS)) this.#set(search, ROUNDS, depth)
    this.#set(search, ANSWERS, this.#get(search, ANSWERS) + 1)
    const isNearer = this.#merge(search, named)
    this.#set(search, STABLE, isNearer ? 0 : this.#get(search, STABLE) + 1)
    return depth
  }

  /** Notes that a peer does not answer, and returns how deep it was. */
  failed(search: number, id: number): number {
    const distance = apart(id, this.targetOf(search))
    this.#set(search, IN_FLIGHT, this.#get(search, IN_FLIGHT) - 1)
    this.#set(search, FAILURES, this.#get(search, FAILURES) + 1)
    const gone = this.#get(search, GONE)
    if (gone < GONE_KEPT) {
      this.#words[search * WORDS + GONERS + gone] = distance
      this.#set(search, GONE, gone + 1)
    }
    const at = this.#placeOf(search, distance)
    if (at < 0) return 0
    const depth = this.#noteOf(search, at) >>> DEPTH_SHIFT
    const live = this.#get(search, LIVE) - 1
    this.#close(search, at, live)
    this.#set(search, LIVE, live)
    return depth
  }

  /** The ids of the nearest that have not failed, nearest first. */
  nearest(search: number): number[] {
    const count = Math.min(this.#get(search, LIVE), this.#rules.closestPeers)
    return Array.from({ length: count }, (_, at) => this.idAt(search, at))
  }

  /** Reads the row of a search, so that memory brings it. */
  read(search: number): number {
    const words = this.#words
    const row = search * WORDS
    let read = 0
    for (let at = row + LINE_WORDS; at < row + GONERS; at += LINE_WORDS) read ^= words[at] as number
    return read
  }

  #isStable(search: number, coming: number, stateMin: number): boolean {
    const { answersMin, stableAnswersMin, nearestAnsweredMin } = this.#rules
    const live = this.#get(search, LIVE)
    if (this.#get(search, FAILURES) !== 0 || live === 0) return false
    if (this.#get(search, ANSWERS) + coming < Math.min(answersMin, live)) return false
    if (this.#get(search, STABLE) + coming < Math.min(stableAnswersMin, live)) return false
    return this.#haveState(search, nearestAnsweredMin, stateMin)
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
    const isConnected = this.#nodes.has(this.nodeOf(search), this.idAt(search, at))
    this.#note(search, at, notes | (isConnected ? CONNECTED : STRANGER))
    return isConnected
  }

  /** Takes note of those named; `true` when one is new and now among the nearest. */
  #merge(search: number, named: Named): boolean {
    const words = this.#words
    const fresh = this.#fresh
    const distances = search * WORDS + DISTANCES
    const live = this.#get(search, LIVE)
    const farthest = live < CANDIDATES_KEPT ? 0x7fffffff : (words[distances + live - 1] as number)
    const to = named.from + named.count
    let count = 0
    for (let index = named.from; index < to; index++) {
      const distance = named.distances[index] as number
      // most of those named late are farther than all that are kept
      if (distance > farthest) continue
      const at = this.#lowerBound(distances, live, distance)
      if (at < live && words[distances + at] === distance) continue
      if (this.#isGone(search, distance)) continue
      let place = count++
      for (; place > 0 && (fresh[place - 1] as number) > distance; place--) {
        fresh[place] = fresh[place - 1] as number
      }
      fresh[place] = distance
    }
    if (count === 0) return false
    const isNearer = this.#lowerBound(distances, live, fresh[0] as number) < this.#rules.closestPeers
    this.#insert(search, count)
    return isNearer
  }

  /** Puts the first `count` of those that are new in their places, from the farthest on; as many as are kept. */
  #insert(search: number, count: number): void {
    const words = this.#words
    const notes = this.#notes
    const fresh = this.#fresh
    const distances = search * WORDS + DISTANCES
    const noted = 2 * (search * WORDS + NOTES)
    const live = this.#get(search, LIVE)
    let from = live - 1
    let left = count - 1
    for (let excess = live + count - CANDIDATES_KEPT; excess > 0; excess--) {
      if (from >= 0 && (words[distances + from] as number) > (fresh[left] as number)) from--
      else left--
    }
    let to = from + left + 1
    this.#set(search, LIVE, to + 1)
    for (; left >= 0; left--) {
      const distance = fresh[left] as number
      for (; from >= 0 && (words[distances + from] as number) > distance; from--, to--) {
        words[distances + to] = words[distances + from] as number
        notes[noted + to] = notes[noted + from] as number
      }
      words[distances + to] = distance
      notes[noted + to] = FRESH
      to--
    }
  }

  #isGone(search: number, distance: number): boolean {
    const from = search * WORDS + GONERS
    const to = from + this.#get(search, GONE)
    for (let at = from; at < to; at++) if (this.#words[at] === distance) return true
    return false
  }

  #placeOf(search: number, distance: number): number {
    const live = this.#get(search, LIVE)
    const from = search * WORDS + DISTANCES
    const at = this.#lowerBound(from, live, distance)
    return at < live && this.#words[from + at] === distance ? at : NOBODY
  }

  /**
   * How many of `count` distances are less than one. Which half it goes on in is computed, not branched on: nobody could predict
   * it. Halves of distances have differences of 32 bits; the last bit is looked at in the end.
   */
  #lowerBound(from: number, count: number, distance: number): number {
    const words = this.#words
    const halved = distance >> 1
    let low = from
    let left = count
    while (left > 0) {
      const half = (left + 1) >>> 1
      const isLess = (((words[low + half - 1] as number) >> 1) - halved) >> 31
      low += half & isLess
      left = (left - half) | 0
    }
    if (low < from + count && (words[low] as number) < distance) low++
    return low - from
  }

  /** Closes the gap at `at`: those behind it, up to `end`, move by one place to the front. */
  #close(search: number, at: number, end: number): void {
    const from = search * WORDS + DISTANCES + at
    this.#words.copyWithin(from, from + 1, from + 1 + end - at)
    for (let to = at; to < end; to++) this.#note(search, to, this.#noteOf(search, to + 1))
  }

  #get(search: number, count: number): number {
    return this.#bytes[search * ROW_BYTES + count] as number
  }

  #set(search: number, count: number, value: number): void {
    this.#bytes[search * ROW_BYTES + count] = value
  }

  #noteOf(search: number, at: number): number {
    return this.#notes[2 * (search * WORDS + NOTES) + at] as number
  }

  #note(search: number, at: number, notes: number): void {
    this.#notes[2 * (search * WORDS + NOTES) + at] = notes
  }

  #grow(capacity: number): void {
    if (capacity > SEARCHES_MAX) throw new RangeError(`expected at most ${SEARCHES_MAX} searches at once`)
    this.#words = grown(this.#words, new Int32Array(capacity * WORDS))
    this.#bytes = new Uint8Array(this.#words.buffer)
    this.#notes = new Uint16Array(this.#words.buffer)
  }
}
