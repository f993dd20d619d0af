/** No event, no slot. */
export const NOTHING = -1

const BITS = 10
const SLOTS = 2 ** BITS
const MASK = SLOTS - 1
const LEVELS = 3
/** An event is so many words that lie together, of which these are what. */
const WORD_BITS = 3
const DUE = 0
const NEXT = 1
const KIND = 2
const A = 3
const B = 4
const C = 5
/** How far ahead an event may be: twelve days. */
const AHEAD_MS_MAX = 2 ** (LEVELS * BITS) - 2 ** ((LEVELS - 1) * BITS)

/**
 * What will happen, in order of time, and of what was scheduled first within a millisecond. Three wheels of a thousand slots
 * each, whose slots are lists in one typed array: an event is a number, whose words lie together, and taking one out allocates
 * nothing.
 *
 * After Varghese and Lauck, Hashed and Hierarchical Timing Wheels (1987).
 */
export class EventWheel {
  #words: Int32Array
  #free: number = NOTHING
  readonly #heads: Int32Array = new Int32Array(LEVELS * SLOTS).fill(NOTHING)
  readonly #tails: Int32Array = new Int32Array(LEVELS * SLOTS).fill(NOTHING)
  #nowMs = 0
  #used = 0
  /** How many wait on the finest wheel, and on the next. */
  #soon = 0
  #later = 0

  /** @param capacity - how many events there is room for at first */
  constructor(capacity: number) {
    this.#words = new Int32Array(capacity << WORD_BITS)
  }

  get nowMs(): number {
    return this.#nowMs
  }

  /** A fresh event: what it is, and whom it is about, whose meaning is that of the model. It happens once it is scheduled. */
  create(kind: number, a: number, b: number): number {
    let event = this.#free
    if (event === NOTHING) {
      if (this.#used << WORD_BITS === this.#words.length) this.#grow()
      event = this.#used++
    } else this.#free = this.#words[(event << WORD_BITS) + NEXT] as number
    const at = event << WORD_BITS
    this.#words[at + KIND] = kind
    this.#words[at + A] = a
    this.#words[at + B] = b
    return event
  }

  kindOf(event: number): number {
    return this.#words[(event << WORD_BITS) + KIND] as number
  }

  a(event: number): number {
    return this.#words[(event << WORD_BITS) + A] as number
  }

  b(event: number): number {
    return this.#words[(event << WORD_BITS) + B] as number
  }

  c(event: number): number {
    return this.#words[(event << WORD_BITS) + C] as number
  }

  /** Makes another kind of event of one that happens. */
  become(event: number, kind: number): void {
    this.#words[(event << WORD_BITS) + KIND] = kind
  }

  /** A third word about an event. */
  setC(event: number, c: number): void {
    this.#words[(event << WORD_BITS) + C] = c
  }

  /** Lets an event happen after `delayMs`, whole milliseconds. One that just happened may be scheduled again. */
  schedule(event: number, delayMs: number): void {
    this.#words[(event << WORD_BITS) + DUE] = this.#nowMs + Math.min(delayMs, AHEAD_MS_MAX)
    this.#place(event)
  }

  /** Gives an event back that has happened. */
  release(event: number): void {
    this.#words[(event << WORD_BITS) + NEXT] = this.#free
    this.#free = event
  }

  /** The next event until `untilMs`, which is then the time; {@link NOTHING} when there is none, and then that is the time. */
  next(untilMs: number): number {
    for (;;) {
      const slot = this.#nowMs & MASK
      const event = this.#heads[slot] as number
      if (event !== NOTHING) {
        const after = this.#words[(event << WORD_BITS) + NEXT] as number
        this.#heads[slot] = after
        if (after === NOTHING) this.#tails[slot] = NOTHING
        this.#soon--
        return event
      }
      if (this.#nowMs >= untilMs) return NOTHING
      this.#nowMs = this.#emptyUntil(untilMs)
      if ((this.#nowMs & MASK) !== 0) continue
      if (((this.#nowMs >>> BITS) & MASK) === 0) this.#cascade(2, this.#nowMs >>> (2 * BITS))
      this.#cascade(1, this.#nowMs >>> BITS)
    }
  }

  /** The event that follows one within its millisecond, as far as is known now; {@link NOTHING} when there is none. */
  after(event: number): number {
    return this.#words[(event << WORD_BITS) + NEXT] as number
  }

  /** Bytes of the arrays. */
  get bytes(): number {
    return this.#words.byteLength + 2 * LEVELS * SLOTS * 4
  }

  /** The next millisecond that something may happen in: where wheels are empty, that at which they turn. */
  #emptyUntil(untilMs: number): number {
    const nowMs = this.#nowMs
    if (this.#soon > 0) return nowMs + 1
    const turn = this.#later > 0 ? MASK : 2 ** (2 * BITS) - 1
    return Math.min((nowMs | turn) + 1, untilMs)
  }

  #place(event: number): void {
    const dueMs = this.#words[(event << WORD_BITS) + DUE] as number
    const apart = dueMs ^ this.#nowMs
    let slot = dueMs & MASK
    if (apart >= 2 ** (2 * BITS)) slot = 2 * SLOTS + ((dueMs >>> (2 * BITS)) & MASK)
    else if (apart >= SLOTS) {
      slot = SLOTS + ((dueMs >>> BITS) & MASK)
      this.#later++
    } else this.#soon++
    this.#words[(event << WORD_BITS) + NEXT] = NOTHING
    const tail = this.#tails[slot] as number
    if (tail === NOTHING) this.#heads[slot] = event
    else this.#words[(tail << WORD_BITS) + NEXT] = event
    this.#tails[slot] = event
  }

  /** Spreads a slot of a coarse wheel over the finer ones, in its order. */
  #cascade(level: number, position: number): void {
    const slot = level * SLOTS + (position & MASK)
    let event = this.#heads[slot] as number
    this.#heads[slot] = NOTHING
    this.#tails[slot] = NOTHING
    while (event !== NOTHING) {
      const after = this.#words[(event << WORD_BITS) + NEXT] as number
      if (level === 1) this.#later--
      this.#place(event)
      event = after
    }
  }

  #grow(): void {
    const capacity = Math.ceil(this.#used * 1.5) + 16
    this.#words = grown(this.#words, new Int32Array(capacity << WORD_BITS))
  }
}

/** The larger array, with what was in the smaller one. */
export function grown<T extends Uint8Array | Uint16Array | Uint32Array | Int32Array>(
  smaller: T,
  larger: T
): T {
  larger.set(smaller)
  return larger
}
