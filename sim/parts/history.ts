import type { CheckName } from '../scenario.ts'
import type { Place } from './wire.ts'

/** Something that must never be. */
export interface Violation {
  readonly check: CheckName
  readonly atMs: number
  readonly sentence: string
}

/** What happened, as those who did it saw it; what cannot be true is a violation at once. */
export interface PartsHistory {
  readonly violations: readonly Violation[]
  violate(check: CheckName, sentence: string): void
  /** A write of a device was acknowledged. */
  wrote(place: Place, count: number): void
  /** What a device found when it started again. */
  found(place: Place, count: number | undefined): void
  /** A name was published under a sequence. */
  published(name: string, sequence: bigint, value: string): void
  /** A device resolved a name. */
  resolved(
    place: Place,
    resolved: { readonly name: string; readonly sequence: bigint; readonly value: string }
  ): void
  /** A token was revoked, and that was acknowledged. */
  revoked(place: Place, token: string): void
  /** A token was let through. */
  allowed(place: Place, tokens: readonly string[]): void
  /** A package was released by whom it says. */
  released(root: string): void
  /** A device runs a package. */
  ran(place: Place, root: string): void
  /** A message was said, and those of the room who should hear it. */
  said(id: string, hearers: readonly string[]): void
  /** A run of a node heard a message. */
  heard(hearer: string, id: string): void
  /** A run of a node ended, or left: what it did not hear yet, it need not hear. */
  ended(hearer: string): void
  /** Messages that somebody should have heard by now: said before then, not heard. */
  unheard(beforeMs: number): { readonly id: string; readonly hearer: string }[]
  /** How often each thing was done. */
  readonly counts: Record<string, number>
  count(what: string, by?: number): void
}

/** An empty history; `checks` are those that count. */
export function createHistory(nowMs: () => number, checks: ReadonlySet<CheckName>): PartsHistory {
  return new History(nowMs, checks)
}

interface Said {
  readonly atMs: number
  readonly hearers: Set<string>
}

class History implements PartsHistory {
  readonly violations: Violation[] = []
  readonly counts: Record<string, number> = {}
  readonly #nowMs: () => number
  readonly #checks: ReadonlySet<CheckName>
  readonly #acknowledged = new Map<Place, number>()
  readonly #values = new Map<string, string>()
  readonly #newest = new Map<string, bigint>()
  readonly #revoked = new Set<string>()
  readonly #releases = new Set<string>()
  readonly #waiting = new Map<string, Said>()
  readonly #heard = new Map<string, Set<string>>()

  constructor(nowMs: () => number, checks: ReadonlySet<CheckName>) {
    this.#nowMs = nowMs
    this.#checks = checks
  }

  violate(check: CheckName, sentence: string): void {
    if (this.#checks.has(check)) this.violations.push({ check, atMs: this.#nowMs(), sentence })
  }

  count(what: string, by = 1): void {
    this.counts[what] = (this.counts[what] ?? 0) + by
  }

  wrote(place: Place, number: number): void {
    this.count('written')
    this.#acknowledged.set(place, Math.max(number, this.#acknowledged.get(place) ?? 0))
  }

  found(place: Place, number: number | undefined): void {
    const before = this.#acknowledged.get(place)
    if (before === undefined || (number ?? 0) >= before) return
    this.violate(
      'writes',
      `node ${place} was told that write ${before} is done, and found ${number ?? 'nothing'}`
    )
  }

  published(name: string, sequence: bigint, value: string): void {
    this.count('published')
    const key = `${name} ${sequence}`
    const before = this.#values.get(key)
    this.#values.set(key, value)
    if (before === undefined || before === value) return
    this.violate('names', `sequence ${sequence} of ${name} was given twice, to ${before} and to ${value}`)
  }

  resolved(place: Place, { name, sequence }: { readonly name: string; readonly sequence: bigint }): void {
    this.count('resolved')
    const key = `${place} ${name}`
    const before = this.#newest.get(key) ?? 0n
    if (sequence < before) {
      this.violate('names', `node ${place} saw sequence ${before} of ${name}, and then ${sequence}`)
    }
    this.#newest.set(key, sequence > before ? sequence : before)
  }

  revoked(place: Place, token: string): void {
    this.count('revoked')
    this.#revoked.add(`${place} ${token}`)
  }

  allowed(place: Place, tokens: readonly string[]): void {
    this.count('allowed')
    const token = tokens.find((one) => this.#revoked.has(`${place} ${one}`))
    if (token !== undefined)
      this.violate('grants', `node ${place} let ${token} through, which it had revoked`)
  }

  released(root: string): void {
    this.count('released')
    this.#releases.add(root)
  }

  ran(place: Place, root: string): void {
    this.count('ran')
    if (this.#releases.has(root)) return
    this.violate('code', `node ${place} runs ${root}, which its publisher never released`)
  }

  said(id: string, hearers: readonly string[]): void {
    this.count('said')
    // some have heard it before its author knows that it is out
    const missing = hearers.filter((hearer) => this.#heard.get(hearer)?.has(id) !== true)
    this.#waiting.set(id, { atMs: this.#nowMs(), hearers: new Set(missing) })
  }

  heard(hearer: string, id: string): void {
    this.count('heard')
    this.#waiting.get(id)?.hearers.delete(hearer)
    const ids = this.#heard.get(hearer) ?? new Set()
    if (ids.has(id)) this.violate('messages', `${hearer} heard ${id} twice`)
    this.#heard.set(hearer, ids.add(id))
  }

  ended(hearer: string): void {
    this.#heard.delete(hearer)
    for (const { hearers } of this.#waiting.values()) hearers.delete(hearer)
  }

  unheard(beforeMs: number): { readonly id: string; readonly hearer: string }[] {
    const missing: { id: string; hearer: string }[] = []
    for (const [id, { atMs, hearers }] of this.#waiting) {
      if (hearers.size === 0) this.#waiting.delete(id)
      else if (atMs <= beforeMs) for (const hearer of hearers) missing.push({ id, hearer })
    }
    return missing
  }
}
