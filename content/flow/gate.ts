import type { Clock } from '#contracts'
import { Bucket } from './bucket.ts'
import type { FlowLimits, Rates } from './limits.ts'
import type { Claimant } from './room.ts'

/** What a peer used of a {@link Gate}. */
interface Account {
  /** Where the peer stands in the order of turns: what it used, counted from where the others stood when it came. */
  finish: number
  readonly bucket: Bucket | undefined
}

/** One who waits in a {@link Lane}. */
interface Turn {
  readonly cost: number
  readonly grant: () => void
}

/** One protocol of one peer at a {@link Gate}. */
export interface Lane extends Claimant {
  readonly account: Account
  readonly protocolBucket: Bucket | undefined
  readonly turns: Turn[]
}

/** Collaborators of a {@link Gate}. */
export interface GateComponents {
  readonly clock: Clock
  /** Whether there is room for this beside what the rates allow; asked again when {@link Gate.open} is called. */
  hasRoom?(this: void, lane: Lane, cost: number): boolean
}

/**
 * Lets pass what the rates allow, peers in turn: each pass starts at a virtual time, the later of the gate's own and
 * of the end of the peer's last pass, and the earliest start goes first (start-time fair queueing, Goyal and others
 * 1996). So two peers that wait get the same number of bytes, whatever sizes they ask for, and a peer that cannot go
 * on holds up nobody.
 */
export class Gate implements Disposable {
  readonly #components: GateComponents
  readonly #rates: Rates
  readonly #limits: Pick<FlowLimits, 'peersMax' | 'burstMs'>
  readonly #total: Bucket | undefined
  readonly #accounts = new Map<string, Account>()
  readonly #protocols = new Map<string, Bucket>()
  readonly #waiting = new Set<Lane>()
  #virtualTime = 0
  #timer: Disposable | undefined

  constructor(components: GateComponents, rates: Rates, limits: Pick<FlowLimits, 'peersMax' | 'burstMs'>) {
    this.#components = components
    this.#rates = rates
    this.#limits = limits
    this.#total = this.#bucket(rates.total)
  }

  /** Channels with somebody waiting. */
  get waitingCount(): number {
    return this.#waiting.size
  }

  /** The way of one channel through this gate; lanes of one peer share its account. */
  lane(claimant: Claimant): Lane {
    const { peerId, protocol } = claimant
    const account = this.#accounts.get(peerId) ?? { finish: 0, bucket: this.#bucket(this.#rates.peer) }
    this.#accounts.delete(peerId)
    this.#accounts.set(peerId, account)
    const [oldest] = this.#accounts.keys()
    if (this.#accounts.size > this.#limits.peersMax && oldest !== undefined) this.#accounts.delete(oldest)
    let protocolBucket = this.#protocols.get(protocol)
    if (protocolBucket === undefined) {
      protocolBucket = this.#bucket(this.#rates.protocol)
      if (protocolBucket !== undefined) this.#protocols.set(protocol, protocolBucket)
    }
    return { peerId, protocol, account, protocolBucket, turns: [] }
  }

  /** Passes at once when nobody waits and nothing forbids it; returns whether it did. */
  tryPass(lane: Lane, cost: number): boolean {
    if (this.#waiting.size > 0 || this.#blockedMs(lane) > 0 || !this.#hasRoom(lane, cost)) return false
    this.charge(lane, cost)
    return true
  }

  /** Counts what has passed already; a negative cost gives back. */
  charge(lane: Lane, cost: number): void {
    const { account, protocolBucket } = lane
    // While somebody waits, time is where the last of them began.
    if (this.#waiting.size === 0) this.#virtualTime = Math.max(this.#virtualTime, account.finish)
    account.finish = Math.max(this.#virtualTime, account.finish) + cost
    this.#total?.take(cost)
    account.bucket?.take(cost)
    protocolBucket?.take(cost)
  }

  /** Whether the rates have something left for this lane. */
  isOpen(lane: Lane): boolean {
    return this.#blockedMs(lane) === 0
  }

  /** Waits for the lane's turn; `grant` is called once the cost is charged. Returns how to wait no longer. */
  wait(lane: Lane, turn: Turn): () => void {
    lane.turns.push(turn)
    this.#waiting.add(lane)
    this.open()
    return () => {
      const at = lane.turns.indexOf(turn)
      if (at >= 0) lane.turns.splice(at, 1)
      if (lane.turns.length === 0) this.#waiting.delete(lane)
      if (this.#waiting.size === 0) this.#arm(Infinity)
    }
  }

  /** Lets pass whatever may pass now. */
  open(): void {
    for (;;) {
      const { lane, afterMs } = this.#next()
      if (lane === undefined) {
        this.#arm(afterMs)
        return
      }
      const turn = lane.turns.shift()
      this.#virtualTime = Math.max(this.#virtualTime, lane.account.finish)
      if (lane.turns.length === 0) this.#waiting.delete(lane)
      if (turn === undefined) continue
      this.charge(lane, turn.cost)
      turn.grant()
    }
  }

  [Symbol.dispose](): void {
    this.#timer?.[Symbol.dispose]()
    this.#waiting.clear()
  }

  #next(): { lane: Lane | undefined; afterMs: number } {
    let best: Lane | undefined
    let bestStart = Infinity
    let afterMs = Infinity
    if (this.#waiting.size === 0) return { lane: undefined, afterMs }
    for (const lane of this.#waiting) {
      const start = Math.max(this.#virtualTime, lane.account.finish)
      if (start >= bestStart) continue
      const blockedMs = this.#blockedMs(lane)
      if (blockedMs > 0) afterMs = Math.min(afterMs, blockedMs)
      else if (this.#hasRoom(lane, lane.turns[0]?.cost ?? 0)) {
        best = lane
        bestStart = start
      }
    }
    return { lane: best, afterMs }
  }

  #hasRoom(lane: Lane, cost: number): boolean {
    return this.#components.hasRoom?.(lane, cost) ?? true
  }

  #blockedMs({ account, protocolBucket }: Lane): number {
    return Math.max(
      this.#total?.readyInMs() ?? 0,
      account.bucket?.readyInMs() ?? 0,
      protocolBucket?.readyInMs() ?? 0
    )
  }

  #arm(afterMs: number): void {
    this.#timer?.[Symbol.dispose]()
    this.#timer = undefined
    if (afterMs === Infinity) return
    this.#timer = this.#components.clock.after(Math.ceil(afterMs), () => {
      this.open()
    })
  }

  #bucket(perSecond: number | undefined): Bucket | undefined {
    if (perSecond === undefined) return undefined
    return new Bucket(this.#components.clock, { perSecond, burstMs: this.#limits.burstMs })
  }
}
