import { createHash } from 'node:crypto'

/**
 * 64 bits of a name, as two unsigned halves: the beginning of its SHA-256. Scores are made of the seeds of a root and of a
 * holder, so that a placement over many costs no hash for each pair.
 */
export type Seed = readonly [high: number, low: number]

/** The seed of a root or of a holder. */
export function seedOf(name: string): Seed {
  const digest = createHash('sha256').update(name).digest()
  return [digest.readUInt32BE(0), digest.readUInt32BE(4)]
}

/**
 * The score of a holder for a root, weighted by what it gives: the higher, the earlier it is asked. Over many roots a holder
 * is first in proportion to its weight, and the scores of others do not depend on it (weighted rendezvous hashing:
 * `weight / -ln(u)`). Only operations that IEEE 754 defines to the last bit are used, so every machine has the same score.
 *
 * @param weight - above 0
 */
export function scoreOf(root: Seed, holder: Seed, weight: number): number {
  return weight / -logarithm(unitOf(root, holder))
}

/**
 * A uniform number in (0, 1) of 53 bits, the finalizers of MurmurHash3 over both seeds. Of holders of the same weight the one
 * with the highest has the highest score.
 */
export function unitOf(root: Seed, holder: Seed): number {
  let high = mix(root[0] ^ holder[1])
  let low = mix(root[1] ^ holder[0] ^ high)
  high = mix(high ^ Math.imul(low, 0x9e3779b1))
  low = mix(low ^ Math.imul(high, 0x85ebca77))
  return ((high >>> 6) * 0x8000000 + (low >>> 5) + 0.5) / 0x20000000000000
}

function mix(word: number): number {
  let mixed = word ^ (word >>> 16)
  mixed = Math.imul(mixed, 0x85ebca6b)
  mixed ^= mixed >>> 13
  mixed = Math.imul(mixed, 0xc2b2ae35)
  return (mixed ^ (mixed >>> 16)) >>> 0
}

const LN_2 = 0.6931471805599453
const SQRT_HALF = 0.7071067811865476
// The series of atanh falls below the last bit of a double after this many terms on [√½, √2].
const TERMS = 12

/**
 * The natural logarithm of a number in (0, 1), of additions, multiplications and divisions only: `Math.log` may differ in its
 * last bit from one engine to the next.
 */
function logarithm(value: number): number {
  let mantissa = value
  let halvings = 0
  while (mantissa < SQRT_HALF) {
    mantissa *= 2
    halvings++
  }
  const ratio = (mantissa - 1) / (mantissa + 1)
  const square = ratio * ratio
  let power = ratio
  let sum = 0
  for (let term = 0; term < TERMS; term++) {
    sum += power / (2 * term + 1)
    power *= square
  }
  return 2 * sum - halvings * LN_2
}
