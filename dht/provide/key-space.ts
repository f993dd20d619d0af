import { createHash } from 'node:crypto'
import type { Random } from '#contracts'
import { commonPrefixBits } from '../table-refresh.ts'

/** How many bits are told apart by one hexadecimal digit. */
const DIGIT_BITS = 4

/** A part of the key space: all places that begin with the same bits. */
export interface Region {
  /** Some place in it. */
  readonly place: Uint8Array
  /** How many leading bits all places of it share; 0 for the whole key space. */
  readonly bits: number
}

/** Where a key is in the key space: its SHA-256, as in Kademlia by the specification of libp2p. */
export function placeOf(key: Uint8Array): Uint8Array {
  return createHash('sha256').update(key).digest()
}

/** Whether a place is in a region. */
export function covers({ place, bits }: Region, other: Uint8Array): boolean {
  return commonPrefixBits(place, other) >= bits
}

/** Whether a region is in another, or the same. */
export function isWithin(inner: Region, outer: Region): boolean {
  return inner.bits >= outer.bits && covers(outer, inner.place)
}

/** The two halves of a region. */
export function halvesOf({ place, bits }: Region): [Region, Region] {
  const other = Uint8Array.from(place)
  other[bits >> 3] = (other[bits >> 3] ?? 0) ^ (0x80 >> (bits & 7))
  return [
    { place, bits: bits + 1 },
    { place: other, bits: bits + 1 }
  ]
}

/** Compares how far two places are from a third one: below zero when `a` is the nearer. */
export function compareDistance(from: Uint8Array, a: Uint8Array, b: Uint8Array): number {
  for (const [index, byte] of from.entries()) {
    const difference = (byte ^ (a[index] ?? 0)) - (byte ^ (b[index] ?? 0))
    if (difference !== 0) return difference
  }
  return 0
}

/** The hexadecimal beginnings that all places of a region have, and only those: at most eight. */
export function hexPrefixesOf({ place, bits }: Region): string[] {
  const digits = Math.ceil(bits / DIGIT_BITS)
  const free = digits * DIGIT_BITS - bits
  const known = Buffer.from(place).toString('hex').slice(0, digits)
  if (free === 0) return [known]
  const last = Number.parseInt(known.slice(-1), 16) & ~(2 ** free - 1)
  return Array.from({ length: 2 ** free }, (_, low) => known.slice(0, -1) + (last + low).toString(16))
}

/** How many random keys are tried, for each that is expected to be needed, before a region is given up. */
const KEY_TRIES_FACTOR = 16

/**
 * A key whose place is in a region, found by trying: work doubles with each bit. Others are asked about keys, not
 * places, so that there is no other way. `undefined` when none was found.
 */
export function randomKeyIn(region: Region, random: Random): Uint8Array | undefined {
  const key = random.bytes(34)
  // the multihash of a SHA-256 digest, since that is what peers ask about
  key.set([0x12, 0x20])
  const view = new DataView(key.buffer, key.byteOffset)
  const tries = KEY_TRIES_FACTOR * 2 ** region.bits
  for (let count = 0; count < tries; count += 1) {
    view.setUint32(30, count)
    if (covers(region, placeOf(key))) return key
  }
  return undefined
}
