import {
  ANSWERS_MIN,
  CANDIDATES_MAX,
  CONNECTED_WINDOW,
  NAMED_FAILURES_MAX,
  NAMED_FAILURES_RATIO,
  NAMED_PER_ANSWER_MAX,
  NEAREST_ANSWERED_MIN,
  PROVIDERS_QUORUM,
  QUERY_DIALS_MAX,
  QUERY_MESSAGES_MAX,
  QUORUM_ORIGINS_MIN,
  STABLE_ANSWERS_MIN
} from './constants.ts'
import { compareDistance } from './peer-book.ts'
import type { BookPeer } from './peer-book.ts'

/**
 * What a search is for: `nearest` stops when nothing nearer comes up any more, `thorough` when each of the nearest has
 * answered, `providers` when enough of the nearest name providers, or else as `thorough`.
 */
export type Goal = 'nearest' | 'thorough' | 'providers'

/** What a search starts from. */
export interface SearchInit {
  /** The place whose neighbours are looked for. */
  readonly target: Uint8Array
  readonly count: number
  readonly goal: Goal
  /** Peers of the routing table. */
  readonly starting: readonly BookPeer[]
  /** Ourselves, never asked. */
  readonly own: BookPeer | undefined
  readonly isConnected: (peer: BookPeer) => boolean
}

/** A peer that may be asked. */
export interface Candidate {
  readonly peer: BookPeer
  state: 'new' | 'asked' | 'slow' | 'answered' | 'failed' | 'discredited'
  /** Which of the starting peers led to it, by number. */
  readonly origin: number
  /** Who named it; nobody for a starting peer. */
  readonly namers: Candidate[]
  /** How many of those that it named did not answer, and how many did. */
  failedNames: number
  goodNames: number
  isDiscredited: boolean
  hasProviders: boolean
  /** How many questions led to it, each asked because of the answer to the one before; 0 until it is asked. */
  depth: number
}

/**
 * The state of one search, without any I/O: whom to ask next, and whether that is enough.
 *
 * Distances decide, within bounds: messages, dials and peers in mind. A search that stops early takes it that those named
 * last are there; once one of them is not, all of the nearest have to answer. Who names peers that do not answer is found
 * out: when four of them failed, and hardly any answered, those that only such peers named are left out. A search for
 * providers ends early only on the word of several peers that different starting peers led to.
 */
export class Search {
  readonly #init: SearchInit
  readonly #known = new Map<BookPeer, Candidate>()
  /** Those that have not failed, nearest first. */
  readonly #live: Candidate[] = []
  #messages = 0
  #dials = 0
  #inFlight = 0
  #answers = 0
  #stableAnswers = 0
  #failures = 0
  #rounds = 0

  constructor(init: SearchInit) {
    this.#init = init
    init.starting.forEach((peer, origin) => {
      if (peer !== init.own) this.#add(peer, { origin, namers: [] })
    })
  }

  /** How many answers are waited for, slow ones not counted. */
  get inFlight(): number {
    return this.#inFlight
  }

  /** Whether it will end no earlier than each of the nearest has answered. */
  get isThorough(): boolean {
    const { goal } = this.#init
    return goal === 'thorough' || (goal === 'nearest' && this.#failures > 0)
  }

  /** Which share of those asked did not answer. */
  get failureShare(): number {
    return this.#messages === 0 ? 0 : this.#failures / this.#messages
  }

  /** How many peers were asked. */
  get messages(): number {
    return this.#messages
  }

  /** The longest chain of questions that were answered, each asked because of the answer to the one before. */
  get rounds(): number {
    return this.#rounds
  }

  /** The nearest peers that have not failed, nearest first. */
  nearest(count: number = this.#init.count): BookPeer[] {
    return this.#live.slice(0, count).map(({ peer }) => peer)
  }

  /** Whether the goal is reached. */
  isEnough(): boolean {
    const { goal, count } = this.#init
    if (goal === 'nearest' && this.#isStable(this.#answers, this.#stableAnswers, isAnswered)) return true
    if (goal === 'providers' && this.#hasQuorum()) return true
    return this.#live.length > 0 && this.#top(count).every(isAnswered)
  }

  /**
   * Whom to ask now, because of what came of a question at that depth; nobody when what is under way may be enough, or when
   * the budget is spent.
   */
  next(depth = 0): Candidate | undefined {
    if (this.#messages >= QUERY_MESSAGES_MAX || this.#mayBeEnough()) return undefined
    const candidate = this.#pick()
    if (candidate === undefined) return undefined
    if (!this.#init.isConnected(candidate.peer)) this.#dials += 1
    candidate.state = 'asked'
    candidate.depth = depth + 1
    this.#messages += 1
    this.#inFlight += 1
    return candidate
  }

  /** Notes an answer and whom it names. */
  answered(candidate: Candidate, named: readonly BookPeer[], hasProviders: boolean): void {
    if (candidate.state === 'asked') this.#inFlight -= 1
    else this.#insert(candidate)
    candidate.state = 'answered'
    candidate.hasProviders = hasProviders
    this.#answers += 1
    this.#rounds = Math.max(this.#rounds, candidate.depth)
    for (const namer of candidate.namers) {
      namer.goodNames += 1
      this.#judge(namer)
    }
    let isNearer = false
    for (const peer of named.slice(0, NAMED_PER_ANSWER_MAX)) {
      if (this.#name(peer, candidate)) isNearer = true
    }
    this.#stableAnswers = isNearer ? 0 : this.#stableAnswers + 1
  }

  /** Notes that a peer does not answer. */
  failed(candidate: Candidate): void {
    if (candidate.state === 'asked') this.#miss(candidate)
    candidate.state = 'failed'
  }

  /** Notes that a peer takes long: others are asked in its place, and its answer still counts when it comes. */
  slow(candidate: Candidate): void {
    if (candidate.state !== 'asked') return
    this.#miss(candidate)
    candidate.state = 'slow'
  }

  #miss(candidate: Candidate): void {
    this.#inFlight -= 1
    this.#failures += 1
    this.#remove(candidate)
    for (const namer of candidate.namers) {
      namer.failedNames += 1
      this.#judge(namer)
    }
  }

  #top(count: number): Candidate[] {
    return this.#live.slice(0, count)
  }

  #isStable(answers: number, stable: number, isDone: (candidate: Candidate) => boolean): boolean {
    const answersMin = Math.min(ANSWERS_MIN, this.#live.length)
    const stableMin = Math.min(STABLE_ANSWERS_MIN, this.#live.length)
    return (
      this.#failures === 0 &&
      answersMin > 0 &&
      answers >= answersMin &&
      stable >= stableMin &&
      this.#top(NEAREST_ANSWERED_MIN).every(isDone)
    )
  }

  /** Whether the goal will be reached if nothing unexpected is answered. */
  #mayBeEnough(): boolean {
    const { goal } = this.#init
    const coming = this.#inFlight
    if (goal === 'nearest') {
      return this.#isStable(
        this.#answers + coming,
        this.#stableAnswers + coming,
        ({ state }) => state !== 'new'
      )
    }
    if (goal === 'thorough') return false
    const saying = this.#top(this.#init.count).filter(({ hasProviders }) => hasProviders).length
    return saying > 0 && coming > 0 && saying + coming >= PROVIDERS_QUORUM
  }

  #hasQuorum(): boolean {
    const top = this.#top(this.#init.count)
    const saying = top.filter(({ hasProviders }) => hasProviders)
    if (saying.length < PROVIDERS_QUORUM) return false
    const originsMin = Math.min(QUORUM_ORIGINS_MIN, new Set(top.map(({ origin }) => origin)).size)
    return new Set(saying.map(({ origin }) => origin)).size >= originsMin
  }

  #pick(): Candidate | undefined {
    const mayDial = this.#dials < QUERY_DIALS_MAX
    // enough were asked: one of the nearest that was not keeps it from its end, connected or not
    if (mayDial && this.#answers + this.#inFlight >= ANSWERS_MIN) {
      const due = this.#top(NEAREST_ANSWERED_MIN).find(({ state }) => state === 'new')
      if (due !== undefined) return due
    }
    const waiting = this.#top(this.#init.count).filter(({ state }) => state === 'new')
    const connected = waiting.slice(0, CONNECTED_WINDOW).find(({ peer }) => this.#init.isConnected(peer))
    return connected ?? (mayDial ? waiting[0] : undefined)
  }

  /** Takes note of a peer that was named; `true` when it is now among the nearest. */
  #name(peer: BookPeer, namedBy: Candidate): boolean {
    if (peer === this.#init.own || peer === namedBy.peer) return false
    const known = this.#known.get(peer)
    if (known === undefined) return this.#add(peer, { origin: namedBy.origin, namers: [namedBy] })
    if (known.namers.length === 0 || known.namers.includes(namedBy)) return false
    known.namers.push(namedBy)
    if (known.state !== 'discredited' || namedBy.isDiscredited) return false
    known.state = 'new'
    return this.#insert(known)
  }

  #add(peer: BookPeer, { origin, namers }: Pick<Candidate, 'origin' | 'namers'>): boolean {
    const isDoubtful = namers.some(({ isDiscredited }) => isDiscredited)
    const candidate: Candidate = {
      peer,
      state: isDoubtful ? 'discredited' : 'new',
      origin,
      namers,
      failedNames: 0,
      goodNames: 0,
      isDiscredited: false,
      hasProviders: false,
      depth: 0
    }
    this.#known.set(peer, candidate)
    return isDoubtful ? false : this.#insert(candidate)
  }

  #insert(candidate: Candidate): boolean {
    let low = 0
    let high = this.#live.length
    while (low < high) {
      const middle = (low + high) >>> 1
      const other = this.#live[middle]
      if (other !== undefined && this.#isNearer(other.peer, candidate.peer)) low = middle + 1
      else high = middle
    }
    this.#live.splice(low, 0, candidate)
    if (this.#live.length > CANDIDATES_MAX) this.#live.pop()
    return low < this.#init.count
  }

  #isNearer(a: BookPeer, b: BookPeer): boolean {
    return compareDistance(this.#init.target, a.kadId, b.kadId) < 0
  }

  #remove(candidate: Candidate): void {
    const index = this.#live.indexOf(candidate)
    if (index >= 0) this.#live.splice(index, 1)
  }

  /** Weighs whether the word of a peer still counts, after one that it named answered or did not. */
  #judge(namer: Candidate): void {
    const { failedNames, goodNames } = namer
    const isDiscredited = failedNames >= NAMED_FAILURES_MAX && failedNames > NAMED_FAILURES_RATIO * goodNames
    if (isDiscredited === namer.isDiscredited) return
    namer.isDiscredited = isDiscredited
    for (const candidate of this.#known.values()) {
      if (!candidate.namers.includes(namer)) continue
      if (candidate.state === 'discredited' && !isDiscredited) {
        candidate.state = 'new'
        this.#insert(candidate)
      } else if (candidate.state === 'new' && candidate.namers.every((other) => other.isDiscredited)) {
        candidate.state = 'discredited'
        this.#remove(candidate)
      }
    }
  }
}

function isAnswered({ state }: Candidate): boolean {
  return state === 'answered'
}
