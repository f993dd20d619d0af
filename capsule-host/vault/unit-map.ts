import { CHUNK_UNITS } from './constants.ts'

/** A set of units, a bit each, that grows as needed. */
export class UnitMap {
  #words: Uint16Array
  #count = 0

  constructor(words: Uint16Array = new Uint16Array(64)) {
    this.#words = words
  }

  /** How many units are in it. */
  get count(): number {
    return this.#count
  }

  /** One more than the greatest unit in it. */
  get end(): number {
    for (let word = this.#words.length - 1; word >= 0; word--) {
      const bits = this.#words[word] ?? 0
      if (bits !== 0) return word * CHUNK_UNITS + 32 - Math.clz32(bits)
    }
    return 0
  }

  copy(): UnitMap {
    const copy = new UnitMap(this.#words.slice())
    copy.#count = this.#count
    return copy
  }

  has(unit: number): boolean {
    return (((this.#words[unit >>> 4] ?? 0) >>> (unit & 15)) & 1) === 1
  }

  /** Whether none of `count` units from `unit` is in it. */
  isFree(unit: number, count: number): boolean {
    for (let at = unit; at < unit + count; at++) if (this.has(at)) return false
    return true
  }

  add(unit: number, count: number): void {
    this.#grow(unit + count)
    for (let at = unit; at < unit + count; at++) {
      if (this.has(at)) continue
      this.#words[at >>> 4] = (this.#words[at >>> 4] ?? 0) | (1 << (at & 15))
      this.#count++
    }
  }

  remove(unit: number, count: number): void {
    for (let at = unit; at < unit + count; at++) {
      if (!this.has(at)) continue
      this.#words[at >>> 4] = (this.#words[at >>> 4] ?? 0) & ~(1 << (at & 15))
      this.#count--
    }
  }

  /** Adds every unit of another map. */
  addAll(other: UnitMap): void {
    this.#grow(other.#words.length * CHUNK_UNITS)
    let count = 0
    for (let word = 0; word < this.#words.length; word++) {
      const bits = (this.#words[word] ?? 0) | (other.#words[word] ?? 0)
      this.#words[word] = bits
      count += bitCount(bits)
    }
    this.#count = count
  }

  /** Takes out every unit of another map. */
  removeAll(other: UnitMap): void {
    let count = 0
    for (let word = 0; word < this.#words.length; word++) {
      const bits = (this.#words[word] ?? 0) & ~(other.#words[word] ?? 0)
      this.#words[word] = bits
      count += bitCount(bits)
    }
    this.#count = count
  }

  /**
   * The first place from `from` where `count` units (at most {@link CHUNK_UNITS}) are free. A whole chunk is put on a
   * boundary of chunks, and less than one never crosses such a boundary, so that holes stay useful.
   */
  findFree(from: number, count: number): number {
    for (let word = from >>> 4; ; word++) {
      const bits = this.#words[word] ?? 0
      if (bits === 0) return word * CHUNK_UNITS
      if (bits === 0xffff || count === CHUNK_UNITS) continue
      const mask = (1 << count) - 1
      for (let bit = 0; bit + count <= CHUNK_UNITS; bit++) {
        if ((bits & (mask << bit)) === 0) return word * CHUNK_UNITS + bit
      }
    }
  }

  #grow(units: number): void {
    const words = Math.ceil(units / CHUNK_UNITS)
    if (words <= this.#words.length) return
    const grown = new Uint16Array(Math.max(words, this.#words.length * 2))
    grown.set(this.#words)
    this.#words = grown
  }
}

/** Set bits of a 16-bit number (Warren, Hacker's Delight, figure 5-2). */
function bitCount(bits: number): number {
  const pairs = bits - ((bits >>> 1) & 0x5555)
  const nibbles = (pairs & 0x3333) + ((pairs >>> 2) & 0x3333)
  const bytes = (nibbles + (nibbles >>> 4)) & 0x0f0f
  return (bytes + (bytes >>> 8)) & 0x1f
}
