import { OFFER_NAME_BYTES } from './constants.ts'
import type { OfferName } from './offer-names.ts'

/** How many places on a name is looked for one by one: mostly names come in order. */
const STEPS_MAX = 8

/**
 * Things in the order of their names, and those names as bytes: lists of thousands, exchanged every minute, are compared in one pass
 * over both where the other is in order too, and by halves where it is not.
 */
export class NameList<T extends OfferName> {
  readonly #items: T[] = []
  /** The halves of their names: what is only compared is read from no thing. */
  #highs = new Uint32Array(16)
  #lows = new Uint32Array(16)

  get size(): number {
    return this.#items.length
  }

  has({ high, low }: OfferName): boolean {
    return this.#isAt(this.#placeOf(high >>> 0, low >>> 0, 0), high >>> 0, low >>> 0)
  }

  /** Puts one in that is not in it. */
  add(one: T): void {
    const size = this.#items.length
    if (size === this.#highs.length) this.#grow()
    const place = this.#placeOf(one.high >>> 0, one.low >>> 0, 0)
    this.#items.splice(place, 0, one)
    this.#highs.copyWithin(place + 1, place, size)
    this.#lows.copyWithin(place + 1, place, size)
    this.#highs[place] = one.high
    this.#lows[place] = one.low
  }

  delete(one: T): void {
    const place = this.#placeOf(one.high >>> 0, one.low >>> 0, 0)
    if (this.#items[place] !== one) return
    this.#items.splice(place, 1)
    this.#highs.copyWithin(place, place + 1)
    this.#lows.copyWithin(place, place + 1)
  }

  /** All names, one after the other, in ascending order. */
  bytes(): Uint8Array {
    const bytes = new Uint8Array(this.#items.length * OFFER_NAME_BYTES)
    const view = new DataView(bytes.buffer)
    for (let place = 0; place < this.#items.length; place++) {
      view.setUint32(place * OFFER_NAME_BYTES, this.#highs[place] ?? 0)
      view.setUint32(place * OFFER_NAME_BYTES + 4, this.#lows[place] ?? 0)
    }
    return bytes
  }

  /** Those that some names stand for, those that none of them stands for, and the names that stand for none. */
  compare(names: Uint8Array): { readonly named: T[]; readonly missing: T[]; readonly unknown: OfferName[] } {
    const isNamed = new Uint8Array(this.#items.length)
    const unknown: OfferName[] = []
    const view = new DataView(names.buffer, names.byteOffset, names.length)
    let place = 0
    for (let at = 0; at + OFFER_NAME_BYTES <= names.length; at += OFFER_NAME_BYTES) {
      const high = view.getUint32(at)
      const low = view.getUint32(at + 4)
      place = this.#placeOf(high, low, place)
      if (this.#isAt(place, high, low)) isNamed[place] = 1
      else unknown.push({ high: high | 0, low: low | 0 })
    }
    const [named, missing]: [T[], T[]] = [[], []]
    for (let at = 0; at < isNamed.length; at++) {
      const one = this.#items[at]
      if (one !== undefined) (isNamed[at] === 1 ? named : missing).push(one)
    }
    return { named, missing, unknown }
  }

  /** Where a name is, or would be; looked for from a place on. */
  #placeOf(high: number, low: number, from: number): number {
    let first = 0
    let end = this.#items.length
    if (from > 0 && !this.#isBefore(from - 1, high, low)) {
      end = from - 1
    } else {
      first = from
      for (const last = Math.min(end, from + STEPS_MAX); first < last; first++) {
        if (!this.#isBefore(first, high, low)) return first
      }
    }
    while (first < end) {
      const middle = (first + end) >>> 1
      if (this.#isBefore(middle, high, low)) first = middle + 1
      else end = middle
    }
    return first
  }

  #isAt(place: number, high: number, low: number): boolean {
    return place < this.#items.length && this.#highs[place] === high && this.#lows[place] === low
  }

  #isBefore(place: number, high: number, low: number): boolean {
    const itsHigh = this.#highs[place] ?? 0
    return itsHigh === high ? (this.#lows[place] ?? 0) < low : itsHigh < high
  }

  #grow(): void {
    const [highs, lows] = [this.#highs, this.#lows]
    this.#highs = new Uint32Array(2 * highs.length)
    this.#highs.set(highs)
    this.#lows = new Uint32Array(2 * lows.length)
    this.#lows.set(lows)
  }
}
