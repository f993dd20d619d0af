import type { Did } from '#did'
import {
  CLOCK_DROP_MS,
  DEVICES_MARKED_MAX,
  GAP_FIRST_MS,
  GAP_MS,
  HELD_TEXTS_MAX,
  HISTORY_AGE_MS,
  HOLES_MAX,
  SEQUENCES_PER_MS
} from './constants.ts'

/** Texts of a device that were passed over: those above the first number, up to the second. */
export type Hole = readonly [above: number, upTo: number]

/** How far what a device said has been delivered. */
export interface DeviceMark {
  /** The highest sequence number delivered. */
  readonly high: number
  /** What is missing below it; the oldest first. */
  readonly holes: readonly Hole[]
}

/** What the order looks at. */
export interface Ordered {
  readonly device: Did
  readonly sequence: number
  /** The sequence number of the device's text before this one; 0 when it knows of none. */
  readonly previous: number
}

/** A text whose turn has come, and the mark that is written with it. */
export interface InOrder<T extends Ordered> {
  readonly item: T
  readonly mark: DeviceMark
}

/** Where a text comes from: another member's history is believed to begin where it begins. */
export interface Arrival {
  readonly nowMs: number
  /** The time of day, which sequence numbers begin at. */
  readonly dayMs: number
  readonly isPast: boolean
}

/**
 * Brings the texts of each device into their order, each once. A text whose predecessor is missing waits; then it is let
 * through, and the gap before it stays open for what comes late. Pure but for its own state.
 */
export interface TextOrder<T extends Ordered> {
  readonly marks: ReadonlyMap<Did, DeviceMark>
  /** Takes a text, and gives those whose turn has come: none when it was taken before, or has to wait. */
  take(item: T, arrival: Arrival): readonly InOrder<T>[]
  /** Those that have waited long enough. */
  expire(nowMs: number): readonly InOrder<T>[]
  /** The devices that were forgotten since this was last asked, to make room for others: their marks go from the disk too. */
  takeForgotten(): readonly Did[]
  /** How many wait. */
  readonly heldCount: number
  /** When the next one has waited long enough; `undefined` while none waits. */
  readonly dueMs: number | undefined
}

interface Held<T> {
  readonly item: T
  readonly untilMs: number
  readonly isPast: boolean
}

const NOTHING: DeviceMark = { high: 0, holes: [] }

/** An order that goes on from `marks`. */
export function createTextOrder<T extends Ordered>(init: ReadonlyMap<Did, DeviceMark>): TextOrder<T> {
  return new MarkedOrder<T>(init)
}

class MarkedOrder<T extends Ordered> implements TextOrder<T> {
  readonly marks: Map<Did, DeviceMark>
  readonly #held = new Map<Did, Held<T>[]>()
  readonly #forgotten = new Set<Did>()
  #count = 0

  constructor(marks: ReadonlyMap<Did, DeviceMark>) {
    this.marks = new Map(marks)
  }

  get heldCount(): number {
    return this.#count
  }

  get dueMs(): number | undefined {
    let dueMs: number | undefined
    for (const [first] of this.#held.values()) {
      if (first !== undefined) dueMs = Math.min(dueMs ?? Infinity, first.untilMs)
    }
    return dueMs
  }

  take(item: T, { nowMs, dayMs, isPast }: Arrival): readonly InOrder<T>[] {
    const { device, sequence } = item
    const mark = this.marks.get(device)
    if (mark !== undefined && sequence <= mark.high) return this.#fill(item, mark)
    if (mark === undefined && !this.#hasRoom(sequence, dayMs)) return []
    const held = this.#held.get(device) ?? []
    if (held.some((other) => other.item.sequence === sequence)) return []
    // Whoever is new here is not waited for as long: what was said before one came may be gone everywhere.
    const waitMs = mark !== undefined ? GAP_MS : isPast ? 0 : GAP_FIRST_MS
    const at = held.findLastIndex((other) => other.item.sequence < sequence) + 1
    this.#held.set(device, held.toSpliced(at, 0, { item, untilMs: nowMs + waitMs, isPast }))
    this.#count++
    return this.#release(device, this.#count > HELD_TEXTS_MAX ? Infinity : nowMs)
  }

  expire(nowMs: number): readonly InOrder<T>[] {
    return [...this.#held.keys()].flatMap((device) => this.#release(device, nowMs))
  }

  takeForgotten(): readonly Did[] {
    const forgotten = [...this.#forgotten].filter((device) => !this.marks.has(device))
    this.#forgotten.clear()
    return forgotten
  }

  /** A text below the mark: it comes late into a hole, or was delivered before. */
  #fill(item: T, { high, holes }: DeviceMark): readonly InOrder<T>[] {
    const { device, sequence, previous } = item
    const hole = holes.find(([above, upTo]) => above < sequence && sequence <= upTo)
    if (hole === undefined) return []
    const [above, upTo] = hole
    const parts: readonly Hole[] = [
      [above, previous],
      [sequence, upTo]
    ]
    const left = parts.filter(([from, to]) => to > from)
    const mark = {
      high,
      holes: holes.flatMap((other) => (other === hole ? left : [other])).slice(-HOLES_MAX)
    }
    this.marks.set(device, mark)
    return [{ item, mark }]
  }

  #release(device: Did, nowMs: number): readonly InOrder<T>[] {
    const held = this.#held.get(device) ?? []
    const released: InOrder<T>[] = []
    for (const { item, untilMs, isPast } of held) {
      const known = this.marks.get(device)
      const { high, holes } = known ?? NOTHING
      const isNext = item.previous <= high
      if (!isNext && nowMs < untilMs) break
      // History of a device never heard of begins where the one who tells it has it from.
      const hasHole = !isNext && !(known === undefined && isPast)
      const open = hasHole ? [...holes, [high, item.previous] as const].slice(-HOLES_MAX) : holes
      const mark = { high: item.sequence, holes: open }
      this.marks.set(device, mark)
      released.push({ item, mark })
    }
    this.#count -= released.length
    if (released.length === held.length) this.#held.delete(device)
    else this.#held.set(device, held.slice(released.length))
    return released
  }

  /**
   * Whether a further device can be remembered. One is forgotten only when all it said is too old to be taken again, or numbered
   * as no clock that others listen to gives: such a mark would never be too old.
   */
  #hasRoom(sequence: number, dayMs: number): boolean {
    if (this.marks.size < DEVICES_MARKED_MAX) return true
    const oldest = (dayMs - 2 * HISTORY_AGE_MS) * SEQUENCES_PER_MS
    const furthest = (dayMs + 2 * CLOCK_DROP_MS) * SEQUENCES_PER_MS
    if (sequence > furthest) return false
    for (const [device, { high }] of this.marks) {
      if (high >= oldest && high <= furthest) continue
      this.marks.delete(device)
      this.#forgotten.add(device)
    }
    return this.marks.size < DEVICES_MARKED_MAX
  }
}
