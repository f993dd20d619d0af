import type { Did } from '#did'
import { DOWN_DEVICES_MAX, HOLDERS_OF_ROOT_MAX, LAPSED_MS } from './constants.ts'
import type { Lease, Root } from './types.ts'

/** What is known of one holder of a root; times by a clock that never goes back. */
export interface HolderEntry {
  /** Since when its leases follow each other. */
  sinceMs: number
  untilMs: number
  /** How often it was asked for the root lately, where it said so. */
  demand: number
  /** Until when that counts. */
  demandUntilMs: number
  /** It failed a challenge: its leases do not count until then. */
  distrustedUntilMs: number
}

/** The roots of a set, as far as they are followed. */
export interface KnownSet {
  readonly roots: readonly Root[]
  /** The set has one root: what it says of demand is about that. */
  readonly isSingle: boolean
}

/** What a lease says, as far as this book needs it. */
export interface NotedLease {
  readonly lease: Lease
  readonly set: KnownSet
  /** When it ends by our clock. */
  readonly untilMs: number
}

/**
 * Who holds what, by the leases that came. Ends are counted from when a lease came, by our own clock: nobody's clock needs
 * to be right.
 */
export class LeaseBook {
  readonly #roots = new Map<Root, Map<Did, HolderEntry>>()
  /** Sets whose roots are known: those of them that are followed here. */
  readonly #sets = new Map<Did, Map<string, KnownSet>>()
  /** When each holder last spoke. */
  readonly #heard = new Map<Did, number>()

  /** Begins to note who holds a root, and forgets which sets are known: they may name it. */
  follow(root: Root): void {
    if (this.#roots.has(root)) return
    this.#roots.set(root, new Map())
    this.#sets.clear()
  }

  /** Ends it. */
  unfollow(root: Root): void {
    this.#roots.delete(root)
  }

  /** The roots of a set, when they are known. */
  rootsOf(holder: Did, set: string): KnownSet | undefined {
    return this.#sets.get(holder)?.get(set)
  }

  /** Takes a lease in. Gives the roots that its holder was not known to hold. */
  note({ lease, set: { roots, isSingle }, untilMs }: NotedLease, nowMs: number): Root[] {
    const { holder, set, demand } = lease
    const followed = roots.filter((root) => this.#roots.has(root))
    // Whoever holds nothing that counts here says nothing by falling silent either, and is not remembered.
    if (followed.length === 0) return []
    if (lease.expiresAtMs > lease.issuedAtMs) this.#remember(holder, set, { roots: followed, isSingle })
    this.#hear(holder, nowMs)
    const news: Root[] = []
    for (const root of followed) {
      const holders = this.#roots.get(root)
      if (holders === undefined) continue
      const before = holders.get(holder)
      const wasLive = before !== undefined && before.untilMs > nowMs
      if (untilMs <= nowMs) {
        holders.delete(holder)
        continue
      }
      if (before === undefined && !hasRoom(holders, nowMs)) continue
      const faded = before !== undefined && before.demandUntilMs > nowMs ? before.demand : 0
      holders.set(holder, {
        sinceMs: wasLive ? before.sinceMs : nowMs,
        untilMs,
        demand: isSingle ? demand : faded,
        demandUntilMs: isSingle ? untilMs : (before?.demandUntilMs ?? 0),
        distrustedUntilMs: before?.distrustedUntilMs ?? 0
      })
      if (!wasLive) news.push(root)
    }
    return news
  }

  /** Counts somebody as a holder for a while on the word of another: only repairs wait for it. */
  presume(root: Root, holder: Did, { nowMs, untilMs }: { nowMs: number; untilMs: number }): void {
    const holders = this.#roots.get(root)
    if (holders === undefined || holders.has(holder) || !hasRoom(holders, nowMs)) return
    holders.set(holder, { sinceMs: nowMs, untilMs, demand: 0, demandUntilMs: 0, distrustedUntilMs: 0 })
  }

  /** Leases of a holder of that root count no more for a while. */
  distrust(root: Root, holder: Did, untilMs: number): void {
    const entry = this.#roots.get(root)?.get(holder)
    if (entry !== undefined) entry.distrustedUntilMs = untilMs
  }

  /** Those whose lease for a root holds, with what is known of them. */
  live(root: Root, nowMs: number): Map<Did, HolderEntry> {
    const live = new Map<Did, HolderEntry>()
    for (const [holder, entry] of this.#roots.get(root) ?? []) {
      if (entry.untilMs > nowMs && entry.distrustedUntilMs <= nowMs) live.set(holder, entry)
    }
    return live
  }

  /** Those whose lease for a root ended lately. */
  lapsed(root: Root, nowMs: number): Did[] {
    const holders = this.#roots.get(root)
    if (holders === undefined) return []
    const lapsed: Did[] = []
    for (const [holder, { untilMs }] of holders) {
      if (untilMs > nowMs) continue
      if (untilMs + LAPSED_MS < nowMs) holders.delete(holder)
      else lapsed.push(holder)
    }
    return lapsed
  }

  /** The holders that spoke after `fromMs`, and not later than `toMs` where that is given. */
  heard(fromMs: number, toMs: number = Infinity): Did[] {
    const heard: Did[] = []
    for (const [holder, atMs] of this.#heard) {
      if (atMs > fromMs && atMs <= toMs) heard.push(holder)
      else if (atMs < fromMs - LAPSED_MS) this.#heard.delete(holder)
    }
    return heard
  }

  #hear(holder: Did, nowMs: number): void {
    this.#heard.delete(holder)
    this.#heard.set(holder, nowMs)
    while (this.#heard.size > DOWN_DEVICES_MAX)
      for (const oldest of this.#heard.keys().take(1)) this.#heard.delete(oldest)
  }

  #remember(holder: Did, set: string, known: KnownSet): void {
    // A holder has a set for each publisher and one for each root in demand; what is older was replaced.
    const sets = this.#sets.get(holder) ?? new Map<string, KnownSet>()
    sets.delete(set)
    sets.set(set, known)
    while (sets.size > HOLDERS_OF_ROOT_MAX) for (const oldest of sets.keys().take(1)) sets.delete(oldest)
    this.#sets.delete(holder)
    this.#sets.set(holder, sets)
    while (this.#sets.size > DOWN_DEVICES_MAX)
      for (const oldest of this.#sets.keys().take(1)) this.#sets.delete(oldest)
  }
}

/** Whether one more holder of a root can be remembered; one whose lease ended makes room for it. */
function hasRoom(holders: Map<Did, HolderEntry>, nowMs: number): boolean {
  if (holders.size < HOLDERS_OF_ROOT_MAX) return true
  for (const [holder, { untilMs, distrustedUntilMs }] of holders) {
    if (untilMs > nowMs || distrustedUntilMs > nowMs) continue
    holders.delete(holder)
    return true
  }
  return false
}
