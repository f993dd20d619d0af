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
  /** The first halves of the names, and the names. */
  #highs = new Uint32Array(16)
  #bytes = new Uint8Array(16 * OFFER_NAME_BYTES)

  get size(): number {
    return this.#items.length
  }

  /** Puts one in that is not in it. */
  add(one: T): void {
    const size = this.#items.length
    if (size === this.#highs.length) this.#grow()
    const place = this.#placeOf(one.high >>> 0, one.low >>> 0, 0)
    this.#items.splice(place, 0, one)
    this.#highs.copyWithin(place + 1, place, size)
    this.#highs[place] = one.high
    const at = place * OFFER_NAME_BYTES
    this.#bytes.copyWithin(at + OFFER_NAME_BYTES, at, size * OFFER_NAME_BYTES)
    const view = new DataView(this.#bytes.buffer)
    view.setInt32(at, one.high)
    view.setInt32(at + 4, one.low)
  }

  delete(one: T): void {
    const place = this.#placeOf(one.high >>> 0, one.low >>> 0, 0)
    if (this.#items[place] !== one) return
    this.#items.splice(place, 1)
    this.#highs.copyWithin(place, place + 1)
    this.#bytes.copyWithin(place * OFFER_NAME_BYTES, (place + 1) * OFFER_NAME_BYTES)
  }

  /** All names, one after the other, in ascending order. */
  bytes(): Uint8Array {
    return this.#bytes.slice(0, this.#items.length * OFFER_NAME_BYTES)
  }

  /** Calls `known` with each that some names stand for, and gives the names that stand for none. */
  lookUp(names: Uint8Array, known: (one: T) => void): OfferName[] {
    const unknown: OfferName[] = []
    const view = new DataView(names.buffer, names.byteOffset, names.length)
    let place = 0
    for (let at = 0; at + OFFER_NAME_BYTES <= names.length; at += OFFER_NAME_BYTES) {
      const high = view.getUint32(at)
      const low = view.getUint32(at + 4)
      place = this.#placeOf(high, low, place)
      const one = this.#items[place]
      if (one !== undefined && one.high >>> 0 === high && one.low >>> 0 === low) known(one)
      else unknown.push({ high: high | 0, low: low | 0 })
    }
    return unknown
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

  #isBefore(place: number, high: number, low: number): boolean {
    const itsHigh = this.#highs[place] ?? 0
    if (itsHigh !== high) return itsHigh < high
    return (this.#items[place]?.low ?? 0) >>> 0 < low
  }

  #grow(): void {
    const [highs, bytes] = [this.#highs, this.#bytes]
    this.#highs = new Uint32Array(2 * highs.length)
    this.#highs.set(highs)
    this.#bytes = new Uint8Array(2 * bytes.length)
    this.#bytes.set(bytes)
  }
}
