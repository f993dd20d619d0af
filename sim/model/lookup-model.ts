import {
  DEATH_NOTICED_MS,
  HALF_LIFE_MS,
  LOOKUP_RULES,
  MODEL_NODES_MAX,
  SEEDS,
  type LookupRules
} from './constants.ts'
import { AnswerPool } from './answer-pool.ts'
import { EventWheel, NOTHING } from './event-wheel.ts'
import { handleOf, mix, ModelRandom, nextLife, slotOf, type Handle } from './identities.ts'
import type { LookupModelInit, MeasuredLookup } from './lookup-types.ts'
import { ModelTrace } from './model-trace.ts'
import { ReadAhead } from './read-ahead.ts'
import { NOBODY, Searches } from './searches.ts'
import { Tables } from './tables.ts'
import { nearestJoined, NEVER, staleShareOf } from './truth.ts'
import { bucketsToRefresh, isBucketsTurn, noticeDeath } from './upkeep.ts'

const EVENT = { ask: 0, answer: 1, giveUp: 2, birth: 3, death: 4, refresh: 5, look: 6 } as const
const PURPOSE = { join: 0, refresh: 1, measured: 2 } as const
const VERSION_SHIFT = 20
const SEARCH_MASK = 2 ** VERSION_SHIFT - 1

/**
 * Nodes that join, look up, keep their tables and leave, a message at a time. The same init and calls give the same
 * {@link traceHash}.
 */
export class LookupModel {
  readonly rules: LookupRules
  /** Events that happened: messages that came or were given up, nodes that came and went, refreshes begun. */
  events = 0
  /** Questions that were asked. */
  messages = 0
  /** How often a node came, and how often one went. */
  births = 0
  deaths = 0
  /** What was measured, in the order in which it ended. */
  readonly measured: MeasuredLookup[] = []
  readonly tables: Tables
  readonly #init: LookupModelInit
  readonly #random: ModelRandom
  readonly #wheel: EventWheel
  readonly #ahead: ReadAhead
  readonly #searches: Searches
  readonly #answers: AnswerPool
  /** When each node's table was first filled. */
  readonly #joinedAtMs: Int32Array
  readonly #failureShares: Float32Array
  /** Which bucket each node looks into next, and how many there are to look into. */
  readonly #refreshing: Uint8Array
  readonly #refreshCounts: Uint8Array
  /** The round of each node: 0 for its first, and then from 1 on again and again as many as there are turns. */
  readonly #refreshRounds: Uint8Array
  #latencyMs: { readonly min: number; readonly max: number }
  readonly #trace: ModelTrace = new ModelTrace()

  constructor(init: LookupModelInit) {
    const { nodeCount, seed, rules = LOOKUP_RULES } = init
    if (!(nodeCount > 0 && nodeCount <= MODEL_NODES_MAX)) {
      throw new RangeError(`expected 1 to ${MODEL_NODES_MAX} nodes, got ${nodeCount}`)
    }
    this.#init = init
    this.rules = rules
    this.#random = new ModelRandom(seed)
    this.#wheel = new EventWheel(3 * nodeCount + 64)
    this.#ahead = new ReadAhead(this.#wheel, (event) => this.#readFor(event))
    this.tables = new Tables({ nodeCount, bucketSize: rules.closestPeers, rules: init.tables, seed })
    this.#searches = new Searches(rules, this.tables)
    this.#answers = new AnswerPool(rules.closestPeers)
    this.#joinedAtMs = new Int32Array(nodeCount).fill(NEVER)
    this.#failureShares = new Float32Array(nodeCount)
    this.#refreshing = new Uint8Array(nodeCount)
    this.#refreshCounts = new Uint8Array(nodeCount)
    this.#refreshRounds = new Uint8Array(nodeCount)
    this.#latencyMs = init.latencyMs ?? { min: 5, max: 100 }
    for (let slot = 0; slot < nodeCount; slot++) {
      this.tables.lives[slot] = handleOf(slot, 0)
      this.#happen(EVENT.birth, slot, { delayMs: Math.floor((slot * init.growMs) / nodeCount) })
    }
  }

  get nowMs(): number {
    return this.#wheel.nowMs
  }

  /** Nodes that are there now. */
  get nodesUp(): number {
    return this.births - this.deaths
  }

  /** Bytes of the arrays that hold the state. */
  get bytes(): number {
    return (
      this.tables.bytes +
      this.#wheel.bytes +
      this.#searches.bytes +
      this.#answers.bytes +
      this.#joinedAtMs.length * 11
    )
  }

  /** 64 bits over everything that happened, in hexadecimal. */
  traceHash(): string {
    return this.#trace.hash()
  }

  /** Gives every message the same time from now on, so that the time of a lookup is a count of rounds too. */
  levelLatency(latencyMs: number): void {
    this.#latencyMs = { min: latencyMs, max: latencyMs }
  }

  /** Lets nodes that have joined, chosen by chance, look for places chosen by chance, spread over `overMs`. */
  look(count: number, overMs: number): void {
    for (let done = 0; done < count; done++) {
      this.#happen(EVENT.look, 0, { delayMs: 1 + Math.floor((done * overMs) / count) })
    }
  }

  /** Lets a node look for a place now. */
  lookFrom(slot: number, target: number): void {
    this.#start(slot, target, PURPOSE.measured)
  }

  /** Lets time pass, or `eventsMax` events happen. */
  run(durationMs: number, eventsMax: number = Infinity): void {
    const untilMs = this.#wheel.nowMs + durationMs
    const wheel = this.#wheel
    const last = this.events + eventsMax
    this.#ahead.restart()
    while (this.events < last) {
      const event = wheel.next(untilMs)
      if (event === NOTHING) return
      this.events++
      this.#ahead.pass(event)
      this.#trace.add(wheel.kindOf(event), wheel.a(event) + wheel.b(event), wheel.nowMs)
      this.#handle(event)
    }
  }

  /** The nodes nearest to a target of those that joined before `beforeMs` and are there, `except` left out. */
  trulyNearest(target: number, except: number, beforeMs: number = this.nowMs): Handle[] {
    const { tables, rules } = this
    return nearestJoined({
      tables,
      joinedAtMs: this.#joinedAtMs,
      count: rules.closestPeers,
      target,
      except,
      beforeMs
    })
  }

  /** Which share of the peers in the tables of nodes that joined are gone. */
  staleShare(): number {
    return staleShareOf(this.tables, this.#joinedAtMs)
  }

  /** Reads what a question or an answer will read. */
  #readFor(event: number): number {
    const wheel = this.#wheel
    const kind = wheel.kindOf(event)
    if (kind > EVENT.answer) return 0
    const search = wheel.a(event) & SEARCH_MASK
    const target = this.#searches.targetOf(search)
    const peer = wheel.b(event)
    if (kind === EVENT.ask) return this.tables.read(peer, this.tables.idOf(wheel.c(event)), target)
    const named = this.#answers.read(wheel.c(event)) ^ this.#searches.read(search)
    return named ^ this.tables.read(this.#searches.ownerOf(search), this.tables.idOf(peer), target)
  }

  #happen(kind: number, a: number, o: { readonly b?: number; readonly delayMs: number }): void {
    const event = this.#wheel.create(kind, a, o.b ?? 0)
    this.#wheel.schedule(event, o.delayMs)
  }

  #handle(event: number): void {
    const wheel = this.#wheel
    switch (wheel.kindOf(event)) {
      case EVENT.ask:
        this.#ask(event)
        return
      case EVENT.answer:
        this.#answer(event)
        break
      case EVENT.giveUp:
        this.#giveUp(event)
        break
      case EVENT.birth:
        this.#birth(wheel.a(event))
        break
      case EVENT.death:
        this.#death(wheel.a(event))
        break
      case EVENT.refresh:
        this.#refresh(wheel.a(event), wheel.b(event))
        break
      default:
        this.#look()
    }
    wheel.release(event)
  }

  /** A question came to whom it was sent; the event becomes the answer, or that it is given up. */
  #ask(event: number): void {
    const wheel = this.#wheel
    const asked = wheel.b(event)
    const asking = wheel.c(event)
    const key = wheel.a(event)
    const search = key & SEARCH_MASK
    const isWanted = this.#searches.versionOf(search) === key >>> VERSION_SHIFT
    if (!this.tables.isAlive(asked)) {
      wheel.become(event, EVENT.giveUp)
      wheel.schedule(event, this.#slowAfterMs(search, this.#latencyBetween(asking, asked)))
      return
    }
    const slot = slotOf(asked)
    const id = this.tables.idOf(asking)
    if (this.tables.isAlive(asking)) this.tables.offer(slot, id)
    if (!isWanted) {
      wheel.release(event)
      return
    }
    const count = this.tables.nearest(slot, this.#searches.targetOf(search), id)
    wheel.become(event, EVENT.answer)
    wheel.setC(event, this.#answers.keep(this.tables.found, count))
    wheel.schedule(event, this.#latencyBetween(asking, asked))
  }

  /** When it is noticed that a peer asked one latency ago is slow: at a check, which go on from the start of the search. */
  #slowAfterMs(search: number, latencyMs: number): number {
    const { slowAnswerMs, slowCheckIntervalMs } = this.rules
    const startedMs = this.#searches.startedMs(search)
    const earliestMs = this.nowMs - latencyMs + slowAnswerMs - startedMs
    return Math.max(
      startedMs + Math.ceil(earliestMs / slowCheckIntervalMs) * slowCheckIntervalMs - this.nowMs,
      1
    )
  }

  #answer(event: number): void {
    const key = this.#wheel.a(event)
    const search = key & SEARCH_MASK
    this.#answers.take(this.#wheel.c(event))
    if (this.#searches.versionOf(search) !== key >>> VERSION_SHIFT || !this.#isOwnerThere(search)) return
    const asked = this.#wheel.b(event)
    const id = this.tables.idOf(asked)
    if (this.tables.isAlive(asked)) this.tables.offer(this.#searches.nodeOf(search), id)
    this.#pump(search, this.#searches.answered(search, id, this.#answers))
  }

  #giveUp(event: number): void {
    const key = this.#wheel.a(event)
    const search = key & SEARCH_MASK
    if (this.#searches.versionOf(search) !== key >>> VERSION_SHIFT || !this.#isOwnerThere(search)) return
    const id = this.tables.idOf(this.#wheel.b(event))
    this.tables.remove(this.#searches.nodeOf(search), id)
    this.#pump(search, this.#searches.failed(search, id))
  }

  /** A search whose node is gone ends. */
  #isOwnerThere(search: number): boolean {
    if (this.tables.isAlive(this.#searches.ownerOf(search))) return true
    this.#searches.close(search)
    return false
  }

  #start(slot: number, target: number, purpose: number): void {
    const owner = this.tables.lives[slot] as number
    const isSteady = (this.#failureShares[slot] as number) <= this.rules.failureShareMax
    // of the buckets far from its own place a node wants to know some, not the nearest to a point
    const isFar = purpose === PURPOSE.refresh && (this.#refreshing[slot] as number) > 0
    const isThorough = (purpose !== PURPOSE.measured && !isFar) || !isSteady
    const search = this.#searches.open({ slot, owner, target, isThorough, purpose, nowMs: this.nowMs })
    const count = this.tables.nearest(slot, target, this.tables.idOf(owner))
    this.#searches.begin(search, { distances: this.tables.found, from: 0, count })
    this.#pump(search, 0)
  }

  /** Asks whom there is to ask, and ends the search when that is nobody. */
  #pump(search: number, depth: number): void {
    const searches = this.#searches
    const isEnough = searches.isEnough(search)
    if (!isEnough) {
      const owner = searches.ownerOf(search)
      const key = ((searches.versionOf(search) << VERSION_SHIFT) | search) >>> 0
      while (searches.hasRoom(search)) {
        const at = searches.next(search, depth)
        if (at === NOBODY) break
        const peer = this.tables.handleOf(searches.idAt(search, at))
        this.messages++
        const event = this.#wheel.create(EVENT.ask, key, peer)
        this.#wheel.setC(event, owner)
        this.#wheel.schedule(event, this.#latencyBetween(owner, peer))
      }
      if (searches.inFlight(search) > 0) return
    }
    this.#finish(search)
  }

  #finish(search: number): void {
    const searches = this.#searches
    const slot = searches.nodeOf(search)
    const purpose = searches.purposeOf(search)
    const messages = searches.messagesOf(search)
    const failed = messages === 0 ? 0 : searches.failuresOf(search) / messages
    const share = this.#failureShares[slot] as number
    this.#failureShares[slot] = share + (failed - share) * this.rules.failureShareWeight
    if (purpose === PURPOSE.measured) this.#note(search)
    searches.close(search)
    if (purpose === PURPOSE.refresh) this.#refreshOn(slot)
  }

  #note(search: number): void {
    const searches = this.#searches
    const startedMs = searches.startedMs(search)
    const truth = this.trulyNearest(searches.targetOf(search), searches.nodeOf(search), startedMs)
    const found = searches.nearest(search).map((id) => this.tables.handleOf(id))
    const hits = truth.filter((handle) => found.includes(handle)).length
    this.measured.push({
      found: Uint32Array.from(found),
      rounds: searches.roundsOf(search),
      durationMs: this.nowMs - startedMs,
      messages: searches.messagesOf(search),
      failures: searches.failuresOf(search),
      wanted: truth.length,
      recall: truth.length === 0 ? 1 : hits / truth.length
    })
  }

  /** A node joins through one of the first, looks for itself, and a moment later into its buckets. */
  #birth(slot: number): void {
    this.births++
    this.#refreshRounds[slot] = 0
    noticeDeath(this.tables, slot)
    const handle = this.tables.lives[slot] as number
    if (slot >= SEEDS) {
      const lifeMs = Math.ceil(this.#random.life(this.#init.halfLifeMs ?? HALF_LIFE_MS))
      this.#happen(EVENT.death, slot, { delayMs: lifeMs })
    }
    const seed = slot >= SEEDS ? this.#random.below(SEEDS) : slot - 1
    if (seed >= 0) {
      this.tables.offer(slot, this.tables.idOf(this.tables.lives[seed] as number))
      this.tables.offer(seed, this.tables.idOf(handle))
      this.#start(slot, this.tables.idOf(handle), PURPOSE.join)
    }
    this.#happen(EVENT.refresh, slot, { b: handle, delayMs: this.rules.firstRefreshDelayMs })
  }

  /** A node is gone; a moment later somebody joins in its place. */
  #death(slot: number): void {
    this.deaths++
    this.#joinedAtMs[slot] = NEVER
    this.#failureShares[slot] = 0
    this.tables.lives[slot] = nextLife(this.tables.lives[slot] as number)
    this.#happen(EVENT.birth, slot, { delayMs: DEATH_NOTICED_MS })
  }

  #refresh(slot: number, handle: Handle): void {
    if (!this.tables.isAlive(handle)) return
    this.#refreshing[slot] = 0
    this.#start(slot, this.tables.idOf(handle), PURPOSE.refresh)
  }

  /** A lookup of a refresh has ended: the next bucket, or the next refresh. */
  #refreshOn(slot: number): void {
    const handle = this.tables.lives[slot] as number
    let bucket = this.#refreshing[slot] as number
    if (bucket === 0) this.#refreshCounts[slot] = bucketsToRefresh(this.tables, slot, this.rules)
    const count = this.#refreshCounts[slot] as number
    const round = this.#refreshRounds[slot] as number
    while (bucket < count && !isBucketsTurn(round, bucket, this.rules)) bucket++
    if (bucket < count) {
      this.#refreshing[slot] = bucket + 1
      const apart = (0x80000000 >>> bucket) ^ (this.#random.word() & (0x7fffffff >>> bucket))
      this.#start(slot, this.tables.idOf(handle) ^ apart, PURPOSE.refresh)
      return
    }
    this.#refreshRounds[slot] = (round % this.rules.refreshTurns) + 1
    if (this.#joinedAtMs[slot] === NEVER) this.#joinedAtMs[slot] = this.nowMs
    this.#happen(EVENT.refresh, slot, { b: handle, delayMs: this.rules.refreshIntervalMs })
  }

  #look(): void {
    for (let tries = 0; tries < 100; tries++) {
      const slot = this.#random.below(this.#joinedAtMs.length)
      if ((this.#joinedAtMs[slot] as number) < 0) continue
      this.#start(slot, this.#random.word(), PURPOSE.measured)
      return
    }
  }

  #latencyBetween(a: Handle, b: Handle): number {
    const { min, max } = this.#latencyMs
    return min === max ? min : min + (mix(slotOf(a) ^ slotOf(b) ^ 0x3c6ef372) % (max - min + 1))
  }
}
