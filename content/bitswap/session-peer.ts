import type { CID } from 'multiformats/cid'
import type { BlockKey } from './block-key.ts'

/** How much of what was measured before still counts after one more block. */
const MEMORY_RATIO = 0.9
const DURATION_MS_MIN = 0.05
/** Fewer bytes than these are no sign that a block will come. */
const LIVE_BYTES_MIN = 4_096

/** A block that a session wants. */
export interface SessionWant {
  readonly cid: CID
  readonly key: BlockKey
  readonly waiters: Set<PromiseWithResolvers<Uint8Array>>
  /** Peers that owe this block now. */
  readonly asked: Set<SessionPeer>
  /** Peers that were ever asked for it and must be told when it is no longer wanted. */
  readonly told: Set<string>
  /** Peers that said they do not have it. */
  readonly lacking: Set<string>
  /** Peers that were asked and brought nothing, or brought something else. */
  readonly failed: Set<string>
  /** A peer that was asked for this block sent one that nobody asked for. */
  wasWrong: boolean
}

/** When a block came, and how many may be asked from then on. */
interface DeliveryInit {
  readonly nowMs: number
  readonly windowInitial: number
  readonly windowMax: number
}

interface Owed {
  readonly want: SessionWant
  readonly sinceMs: number
  /** A block asked for later came first. */
  overtaken: boolean
}

/** What a session knows of one peer: what it owes and how fast it is. */
export class SessionPeer {
  readonly id: string
  /** Blocks that may be asked of it at a time. */
  window: number
  /** Timeouts since the last block. */
  timeouts = 0
  /** It owes blocks for longer than blocks take, and brought nothing meanwhile: others are asked first. */
  isSuspect = false
  readonly #owed = new Map<BlockKey, Owed>()
  #lastBlockMs = 0
  #lastBytesMs = 0
  #seenBytes = 0
  #bytes = 0
  #durationMs = 0

  constructor(id: string, window: number) {
    this.id = id
    this.window = window
  }

  /** Blocks it owes. */
  get owedCount(): number {
    return this.#owed.size
  }

  /** True when another block may be asked of it. */
  get hasRoom(): boolean {
    return this.#owed.size < this.window
  }

  /** Measured speed in bytes a millisecond, `undefined` before the first block. */
  get speed(): number | undefined {
    return this.#durationMs === 0 ? undefined : this.#bytes / this.#durationMs
  }

  /** All wants that it owes, the longest owed first. */
  owed(): SessionWant[] {
    return [...this.#owed.values()].map(({ want }) => want)
  }

  /** Notes that it was asked. */
  ask(want: SessionWant, nowMs: number): void {
    this.#owed.set(want.key, { want, sinceMs: nowMs, overtaken: false })
    want.asked.add(this)
  }

  /** Notes that it owes this block no more. */
  release(want: SessionWant): void {
    this.#owed.delete(want.key)
    want.asked.delete(this)
  }

  /** Notes a block that it brought, and returns how long that took; does not release the want. */
  deliver(want: SessionWant, bytes: number, o: DeliveryInit): number | undefined {
    const entry = this.#owed.get(want.key)
    if (entry === undefined) return undefined
    for (const other of this.#owed.values()) {
      if (other === entry) break
      other.overtaken = true
    }
    const startMs = Math.max(this.#lastBlockMs, entry.sinceMs)
    this.#bytes = this.#bytes * MEMORY_RATIO + bytes
    this.#durationMs = this.#durationMs * MEMORY_RATIO + Math.max(o.nowMs - startMs, DURATION_MS_MIN)
    const isFirst = this.#lastBlockMs === 0
    this.#lastBlockMs = o.nowMs
    this.timeouts = 0
    this.isSuspect = false
    this.window = Math.min(o.windowMax, Math.max(this.window + 1, isFirst ? o.windowInitial : 0))
    return o.nowMs - entry.sinceMs
  }

  /** Notes how many bytes it has sent until now. */
  noteBytes(total: number, nowMs: number): void {
    if (total - this.#seenBytes < LIVE_BYTES_MIN) return
    this.#seenBytes = total
    this.#lastBytesMs = nowMs
  }

  /** How long it has owed something without bringing anything, in milliseconds. */
  stalledMs(nowMs: number): number {
    const [oldest] = this.#owed.values()
    return oldest === undefined ? 0 : nowMs - Math.max(this.#lastBlockMs, this.#lastBytesMs, oldest.sinceMs)
  }

  /** Wants asked before `beforeMs`. */
  olderThan(beforeMs: number): SessionWant[] {
    return [...this.#owed.values()].filter(({ sinceMs }) => sinceMs <= beforeMs).map(({ want }) => want)
  }

  /**
   * Wants that are not to be waited for any longer: all of them when the peer sent no byte since `beforeMs`, else
   * those that were asked before then and that later ones have overtaken.
   */
  overdue(beforeMs: number, lastBytesMs: number): { wants: SessionWant[]; isSilent: boolean } {
    const old = [...this.#owed.values()].filter(({ sinceMs }) => sinceMs <= beforeMs)
    const isSilent = old.length > 0 && lastBytesMs <= beforeMs
    if (isSilent) return { wants: this.owed(), isSilent }
    return { wants: old.filter(({ overtaken }) => overtaken).map(({ want }) => want), isSilent }
  }
}

/**
 * Whom to ask for a block: the peer that would finish it first by its measured speed and what it owes already; one
 * never measured counts as fast as the fastest, so that it is tried. Suspects are asked when nobody else has it.
 *
 * @returns `'wait'` when those who may have it have no room, `undefined` when there is nobody left to ask
 */
export function choosePeer(
  want: SessionWant,
  peers: Iterable<SessionPeer>
): SessionPeer | 'wait' | undefined {
  const trusted: SessionPeer[] = []
  const suspects: SessionPeer[] = []
  for (const peer of peers) {
    if (want.lacking.has(peer.id) || want.failed.has(peer.id) || want.asked.has(peer)) continue
    if (peer.isSuspect) suspects.push(peer)
    else trusted.push(peer)
  }
  const candidates = trusted.length > 0 ? trusted : suspects
  const fastest = candidates.reduce((speed, peer) => Math.max(speed, peer.speed ?? 0), 0) || 1
  let best: SessionPeer | undefined
  let bestCost = Infinity
  for (const peer of candidates) {
    const cost = (peer.owedCount + 1) / (peer.speed ?? fastest)
    if (peer.hasRoom && cost < bestCost) {
      best = peer
      bestCost = cost
    }
  }
  return best ?? (candidates.length > 0 ? 'wait' : undefined)
}

/**
 * Whom else to ask for what is late: everything that a peer owes which brings nothing, and, once all was asked for, what
 * one that does bring something keeps for long. Marks those that bring nothing as suspects.
 */
export function* hedges(
  peers: readonly SessionPeer[],
  o: { nowMs: number; patienceMs: number; isAllAsked: boolean }
): Generator<{ want: SessionWant; peer: SessionPeer }> {
  for (const slow of peers) {
    if (slow.stalledMs(o.nowMs) > o.patienceMs) {
      if (!slow.isSuspect) slow.window = Math.max(1, Math.floor(slow.window / 2))
      slow.isSuspect = true
    } else if (!o.isAllAsked) continue
    for (const want of slow.olderThan(o.nowMs - o.patienceMs)) {
      if ([...want.asked].some((peer) => peer !== slow && !peer.isSuspect)) continue
      const other = choosePeer(want, peers)
      if (other === undefined || other === 'wait' || other.isSuspect) continue
      if (slow.isSuspect || other.owedCount === 0) yield { want, peer: other }
    }
  }
}
