import { OFFER_NAME_BYTES } from './constants.ts'

/** The name of an offer, the beginning of its hash, as two whole numbers of 32 bits: they are found without making a text of each. */
export interface OfferName {
  readonly high: number
  readonly low: number
}

/** The name of what has that hash, as Latin-1. */
export function nameOf(digest: string): OfferName {
  const word = (at: number): number =>
    (digest.charCodeAt(at) << 24) |
    (digest.charCodeAt(at + 1) << 16) |
    (digest.charCodeAt(at + 2) << 8) |
    digest.charCodeAt(at + 3)
  return { high: word(0), low: word(4) }
}

/** Names one after the other. */
export function bytesOfNames(names: readonly OfferName[]): Uint8Array {
  const bytes = new Uint8Array(names.length * OFFER_NAME_BYTES)
  let at = 0
  for (const { high, low } of names) {
    writeWord(bytes, at, high)
    writeWord(bytes, at + 4, low)
    at += OFFER_NAME_BYTES
  }
  return bytes
}

function writeWord(bytes: Uint8Array, at: number, word: number): void {
  bytes[at] = word >>> 24
  bytes[at + 1] = word >>> 16
  bytes[at + 2] = word >>> 8
  bytes[at + 3] = word
}
