import { dutyOrder, placementOrder, seedOf, type Seed } from '#replication'
import { HALF_LIFE_MS } from './constants.ts'
import { EventWheel, NOTHING } from './event-wheel.ts'
import { handleOf, mix, ModelRandom, nextLife, slotOf, type Handle } from './identities.ts'
import { ModelTrace } from './model-trace.ts'
import { didOf, countBeyondCut, isCut, networkOf, offerOf, OfferTable, rootOf } from './replica-placement.ts'
import { OFFER_KNOWN_MS, REPLICA_RULES, type ReplicaRules } from './replica-rules.ts'

/** What a model of replicas is like. */
export interface ReplicaModelInit {
  readonly nodeCount: number
  readonly objectCount: number
  readonly seed: number
  /** Copies wanted. */
  readonly goal: number
  readonly objectBytes: number
  readonly halfLifeMs?: number
  readonly rules?: ReplicaRules
}

/** What is counted. */
export interface ReplicaCounts {
  /** Objects that no living node holds. */
  readonly lost: number
  /** Copies on living nodes. */
  readonly copies: number
  readonly copiesMin: number
  readonly belowGoal: number
  /** Copies made after the first ones, and copies whose holder died. */
  readonly repairs: number
  readonly died: number
  readonly trimmed: number
}

const EVENT = {
  death: 0,
  birth: 1,
  known: 2,
  leaseEnd: 3,
  offerEnd: 4,
  repair: 5,
  taken: 6,
  trim: 7,
  cutSeen: 8
} as const
const FETCH_OVERHEAD_MS = 500

interface Copy {
  readonly handle: Handle
  readonly network: number
}

interface Kept {
  readonly seed: Seed
  copies: Copy[]
  /** Who is fetching it. */
  readonly taking: Set<Handle>
  /** Who was asked in vain. */
  readonly failing: Set<Handle>
  /** When the holders died whose copies were not made anew yet. */
  readonly missingSinceMs: number[]
  isLost: boolean
}

/** Objects kept by nodes that come and go, each decision as `replication/` takes it from leases and offers. */
export class ReplicaModel {
  events = 0
  /** How long after its holder died each copy was made anew. */
  readonly repairMs: number[] = []
  readonly #init: ReplicaModelInit
  readonly #rules: ReplicaRules
  readonly #random: ModelRandom
  readonly #wheel: EventWheel
  readonly #lives: Uint32Array
  readonly #isUp: Uint8Array
  readonly #busyUntilMs: Float64Array
  readonly #offers: OfferTable
  readonly #objects: Kept[] = []
  readonly #trace: ModelTrace = new ModelTrace()
  readonly #heldBy = new Map<Handle, Set<number>>()
  readonly #diedAtMs = new Map<Handle, number>()
  #cut: { readonly fromMs: number; untilMs: number; readonly beyond: ReadonlySet<number> } | undefined
  #repairs = 0
  #died = 0
  #trimmed = 0

  constructor(init: ReplicaModelInit) {
    this.#init = init
    this.#rules = init.rules ?? REPLICA_RULES
    this.#random = new ModelRandom(init.seed)
    this.#wheel = new EventWheel(4 * init.nodeCount + 64)
    this.#lives = new Uint32Array(init.nodeCount)
    this.#isUp = new Uint8Array(init.nodeCount)
    this.#busyUntilMs = new Float64Array(init.nodeCount)
    this.#offers = new OfferTable(3 * init.nodeCount + 64)
    for (let slot = 0; slot < init.nodeCount; slot++) {
      this.#lives[slot] = handleOf(slot, 0)
      this.#live(slot)
      this.#offers.add(handleOf(slot, 0), networkOf(slot))
    }
    for (let object = 0; object < init.objectCount; object++) this.#publish(object)
  }

  get nowMs(): number {
    return this.#wheel.nowMs
  }

  /** 64 bits over everything that happened, in hexadecimal. */
  traceHash(): string {
    return this.#trace.hash()
  }

  /** Lets time pass. */
  run(durationMs: number): void {
    const untilMs = this.nowMs + durationMs
    for (;;) {
      const event = this.#wheel.next(untilMs)
      if (event === NOTHING) return
      this.events++
      const [kind, a, b] = [this.#wheel.kindOf(event), this.#wheel.a(event), this.#wheel.b(event)]
      this.#wheel.release(event)
      this.#trace.add(kind, a + b, this.nowMs)
      this.#handle(kind, a, b)
    }
  }

  /** A third of the nodes cannot reach the others from now on, for so long. */
  cutOff(durationMs: number): void {
    this.#cut = { fromMs: this.nowMs, untilMs: this.nowMs + durationMs, beyond: this.#beyondNow() }
    this.#happen(EVENT.cutSeen, 0, { delayMs: this.#rules.leaseMs })
    this.#happen(EVENT.cutSeen, 1, {
      delayMs: durationMs + this.#rules.renewEveryMs + this.#rules.trimAfterMs
    })
  }

  /** How things stand. */
  counts(): ReplicaCounts {
    let [copies, copiesMin, belowGoal, lost] = [0, Infinity, 0, 0]
    for (const { copies: some, isLost } of this.#objects) {
      const count = some.filter(({ handle }) => this.#isAlive(handle)).length
      copies += count
      copiesMin = Math.min(copiesMin, count)
      if (count < this.#init.goal) belowGoal++
      if (isLost) lost++
    }
    return {
      lost,
      copies,
      copiesMin,
      belowGoal,
      repairs: this.#repairs,
      died: this.#died,
      trimmed: this.#trimmed
    }
  }

  /** Who holds each object now, by place of the node. */
  holders(): number[][] {
    return this.#objects.map(({ copies }) =>
      copies.filter(({ handle }) => this.#isAlive(handle)).map(({ handle }) => slotOf(handle))
    )
  }

  #publish(object: number): void {
    const kept: Kept = {
      ...{ seed: seedOf(rootOf(object)), copies: [], missingSinceMs: [], isLost: false },
      ...{ taking: new Set<Handle>(), failing: new Set<Handle>() }
    }
    this.#objects.push(kept)
    for (const { handle } of this.#whomToAsk(kept, [], this.#init.goal)) this.#hold(object, handle)
  }

  #happen(kind: number, a: number, o: { readonly b?: number; readonly delayMs: number }): void {
    const event = this.#wheel.create(kind, a, o.b ?? 0)
    this.#wheel.schedule(event, Math.ceil(o.delayMs))
  }

  #handle(kind: number, a: number, b: number): void {
    switch (kind) {
      case EVENT.death:
        this.#die(a)
        return
      case EVENT.birth:
        this.#live(a)
        this.#happen(EVENT.known, a, { b: this.#lives[a] as number, delayMs: OFFER_KNOWN_MS })
        return
      case EVENT.known:
        if (this.#isAlive(b)) this.#offers.add(b, networkOf(a))
        return
      case EVENT.leaseEnd:
        this.#endLease(b)
        return
      case EVENT.offerEnd:
        this.#offers.remove(b)
        return
      case EVENT.repair:
        this.#repair(a, b === 1)
        return
      case EVENT.taken:
        this.#taken(a, b)
        return
      case EVENT.trim:
        this.#trim(a)
        return
      default:
        this.#objects.forEach((_, object) => {
          if (a === 1)
            this.#happen(EVENT.trim, object, { delayMs: this.#random.below(this.#rules.lookEveryMs) })
          else for (const side of [0, 1]) this.#notice(object, side === 1)
        })
    }
  }

  #isAlive(handle: Handle): boolean {
    return this.#isUp[slotOf(handle)] === 1 && this.#lives[slotOf(handle)] === handle
  }

  #live(slot: number): void {
    this.#isUp[slot] = 1
    const lifeMs = this.#random.life(this.#init.halfLifeMs ?? HALF_LIFE_MS)
    this.#happen(EVENT.death, slot, { delayMs: lifeMs })
  }

  #die(slot: number): void {
    const handle = this.#lives[slot] as number
    const { offerMs, offerEveryMs } = this.#rules
    this.#isUp[slot] = 0
    this.#diedAtMs.set(handle, this.nowMs)
    const held = this.#heldBy.get(handle) ?? new Set()
    this.#died += held.size
    for (const object of held) {
      const kept = this.#objects[object]
      if (kept !== undefined && !kept.copies.some((copy) => this.#isAlive(copy.handle))) kept.isLost = true
    }
    this.#happen(EVENT.leaseEnd, slot, { b: handle, delayMs: this.#silentAfterMs(handle) })
    this.#happen(EVENT.offerEnd, slot, { b: handle, delayMs: offerMs - this.#random.below(offerEveryMs) })
    this.#lives[slot] = nextLife(handle)
    this.#busyUntilMs[slot] = 0
    this.#happen(EVENT.birth, slot, { delayMs: 1 })
  }

  /** How long after it was last there a holder's lease ends: one that was signed up to a renewal before. */
  #silentAfterMs(handle: Handle): number {
    return this.#rules.leaseMs - (mix(handle ^ 0x7f4a7c15) % this.#rules.renewEveryMs)
  }

  #endLease(handle: Handle): void {
    for (const object of this.#heldBy.get(handle) ?? []) {
      const kept = this.#objects[object]
      if (kept === undefined) continue
      kept.copies = kept.copies.filter((copy) => copy.handle !== handle)
      kept.missingSinceMs.push(this.#diedAtMs.get(handle) ?? this.nowMs)
      for (const side of this.#cut === undefined ? [false] : [false, true]) this.#notice(object, side)
    }
    this.#heldBy.delete(handle)
    this.#diedAtMs.delete(handle)
  }

  /** Those on a side whose leases hold, as the others of that side see it. */
  #seen(kept: Kept, isCutSide: boolean): Copy[] {
    const cut = this.#cut
    if (cut === undefined) return kept.copies
    return kept.copies.filter(({ handle }) => {
      if (isCut(handle) === isCutSide) return true
      const nowMs = this.nowMs
      const isSilent = nowMs >= cut.fromMs + this.#silentAfterMs(handle)
      const isBack = nowMs >= cut.untilMs + (mix(handle) % this.#rules.renewEveryMs)
      return !isSilent || isBack
    })
  }

  #isCutNow(): boolean {
    return this.#cut !== undefined && this.nowMs < this.#cut.untilMs
  }

  /** Copies are missing: at the next look the first on duty who is there goes to work. */
  #notice(object: number, isCutSide: boolean): void {
    const kept = this.#objects[object]
    if (kept === undefined || (isCutSide && !this.#isCutNow())) return
    const live = this.#seen(kept, isCutSide)
    if (live.length + kept.taking.size >= this.#init.goal) return
    const { lookEveryMs, repairJitterMs, dutyStepMs } = this.#rules
    const order = dutyOrder(
      rootOf(object),
      live.map(({ handle }) => didOf(handle))
    )
    const there = new Set(
      live.filter(({ handle }) => this.#canAct(handle, isCutSide)).map(({ handle }) => didOf(handle))
    )
    const rank = order.findIndex((did) => there.has(did))
    if (rank < 0) return
    const waitMs = this.#random.below(lookEveryMs) + this.#random.below(repairJitterMs) + rank * dutyStepMs
    this.#happen(EVENT.repair, object, { b: isCutSide ? 1 : 0, delayMs: waitMs })
  }

  /** Objects that several hold beyond the cut, as it looks to the third that is cut off: they can wait. */
  #beyondNow(): ReadonlySet<number> {
    const alive = ({ copies }: Kept): Copy[] => copies.filter(({ handle }) => this.#isAlive(handle))
    const counts = this.#objects.map((kept) => countBeyondCut(alive(kept)))
    return new Set(counts.keys().filter((object) => (counts[object] ?? 0) >= this.#rules.beyondCutMin))
  }

  #canAct(handle: Handle, isCutSide: boolean): boolean {
    return this.#isAlive(handle) && (!this.#isCutNow() || isCut(handle) === isCutSide)
  }

  #repair(object: number, isCutSide: boolean): void {
    const kept = this.#objects[object]
    if (kept === undefined) return
    const live = this.#seen(kept, isCutSide)
    if (!live.some(({ handle }) => this.#canAct(handle, isCutSide))) return
    const isBeyond = this.#isCutNow() && isCutSide && this.#cut?.beyond.has(object) === true
    const wanted = isBeyond ? this.#rules.cutOffCopies : this.#init.goal
    const missing = wanted - live.length - kept.taking.size
    if (missing <= 0) return
    const chosen = this.#whomToAsk(kept, live, missing)
    let isInVain = chosen.length < missing
    // those who were asked in vain are asked again when nobody else is left
    if (isInVain) kept.failing.clear()
    for (const { handle } of chosen) {
      if (!this.#canAct(handle, isCutSide)) {
        kept.failing.add(handle)
        isInVain = true
        continue
      }
      kept.taking.add(handle)
      const slot = slotOf(handle)
      const fetchMs = (this.#init.objectBytes / this.#rules.repairBytesPerSecond) * 1_000
      const startMs = Math.max(this.#busyUntilMs[slot] as number, this.nowMs)
      this.#busyUntilMs[slot] = startMs + fetchMs
      const delayMs = startMs + fetchMs + FETCH_OVERHEAD_MS - this.nowMs
      this.#happen(EVENT.taken, object, { b: handle, delayMs })
      this.#happen(EVENT.repair, object, { b: isCutSide ? 1 : 0, delayMs: delayMs + this.#rules.takingMs })
    }
    if (!isInVain) return
    const { requestTimeoutMs, lookEveryMs } = this.#rules
    this.#happen(EVENT.repair, object, { b: isCutSide ? 1 : 0, delayMs: requestTimeoutMs + lookEveryMs })
  }

  /** As `whomToAsk` of `replication/decide.ts`: the best from networks without a copy, one after the other. */
  #whomToAsk(kept: Kept, live: readonly Copy[], missing: number): Copy[] {
    const networks = new Set(live.map(({ network }) => network))
    const except = new Set([...live.map(({ handle }) => handle), ...kept.taking, ...kept.failing])
    for (const handle of kept.taking) networks.add(networkOf(slotOf(handle)))
    const chosen: Copy[] = []
    while (chosen.length < missing) {
      const next = this.#offers.best(kept.seed, networks, except)
      if (next === undefined) break
      networks.add(next.network)
      chosen.push(next)
    }
    return chosen
  }

  #taken(object: number, handle: Handle): void {
    const kept = this.#objects[object]
    if (kept?.taking.delete(handle) !== true || !this.#isAlive(handle)) return
    const side = isCut(handle)
    const hasSource = kept.copies.some((copy) => this.#canAct(copy.handle, side))
    if (!hasSource) return
    this.#repairs++
    const since = kept.missingSinceMs.shift()
    if (since !== undefined) this.repairMs.push(this.nowMs - since)
    kept.failing.clear()
    this.#hold(object, handle)
  }

  #hold(object: number, handle: Handle): void {
    this.#objects[object]?.copies.push({ handle, network: networkOf(slotOf(handle)) })
    const held = this.#heldBy.get(handle)
    if (held === undefined) this.#heldBy.set(handle, new Set([object]))
    else held.add(object)
  }

  /** Copies beyond the goal go, those whose holders come last in the order of placement. */
  #trim(object: number): void {
    const kept = this.#objects[object]
    if (kept === undefined || this.#isCutNow()) return
    const alive = kept.copies.filter(({ handle }) => this.#isAlive(handle))
    if (alive.length <= this.#init.goal) {
      this.#notice(object, false)
      return
    }
    const offers = alive.map(({ handle, network }) => offerOf(handle, network))
    const order = placementOrder({ root: rootOf(object), bytes: 1, offers }).map(({ holder }) => holder)
    for (const copy of alive) {
      if (order.indexOf(didOf(copy.handle)) < this.#init.goal) continue
      kept.copies = kept.copies.filter((other) => other !== copy)
      this.#heldBy.get(copy.handle)?.delete(object)
      this.#trimmed++
    }
    kept.missingSinceMs.length = 0
  }
}
