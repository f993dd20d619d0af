import type { Random } from '#contracts'

/** A generator that gives the same numbers for the same seed. Never for real keys. */
export interface RandomSource extends Random {
  /** A uniform whole number, 0 to 2^32 - 1. */
  uint32(): number
  /** Fills the bytes and returns them. */
  fill<T extends Uint8Array>(bytes: T): T
  /** One of them. */
  pick<T>(items: readonly T[]): T
  /** Begins anew from this seed. */
  reseed(seed: number): void
}

/** Turns a seed into numbers that look unrelated to it and to each other (SplitMix32). */
function createSplitMix(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x9e3779b9) >>> 0
    let mixed = Math.imul(state ^ (state >>> 16), 0x21f0aaad)
    mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a2d97)
    return (mixed ^ (mixed >>> 15)) >>> 0
  }
}

/** One number of a seed and words that say what it is for: streams that do not disturb each other. */
export function deriveSeed(seed: number, ...words: readonly string[]): number {
  let hash = (0x811c9dc5 ^ seed) >>> 0
  for (const word of words) {
    // FNV-1a; the zero between words keeps ('a', 'bc') from ('ab', 'c')
    for (const char of `${word}\0`) hash = Math.imul(hash ^ (char.codePointAt(0) ?? 0), 0x01000193)
  }
  return createSplitMix(hash)()
}

/**
 * Creates a generator: xoshiro128** seeded by SplitMix32.
 *
 * @see Blackman and Vigna, "Scrambled linear pseudorandom number generators", 2021
 */
export function createRandomSource(seed: number): RandomSource {
  const state = new Uint32Array(4)
  const reseed = (from: number): void => {
    const next = createSplitMix(from)
    for (let i = 0; i < state.length; i++) state[i] = next()
  }
  const uint32 = (): number => {
    const [s0 = 0, s1 = 0, s2 = 0, s3 = 0] = state
    const result = Math.imul(rotated(Math.imul(s1, 5), 7), 9) >>> 0
    const third = s2 ^ s0
    const fourth = s3 ^ s1
    state[1] = s1 ^ third
    state[0] = s0 ^ fourth
    state[2] = third ^ (s1 << 9)
    state[3] = rotated(fourth, 11)
    return result
  }
  const unit = (): number => uint32() / 2 ** 32
  const fill = <T extends Uint8Array>(bytes: T): T => {
    for (let at = 0; at < bytes.length; at += 4) {
      let word = uint32()
      for (let i = at; i < Math.min(at + 4, bytes.length); i++, word >>>= 8) bytes[i] = word & 0xff
    }
    return bytes
  }
  reseed(seed)
  return {
    ...{ uint32, unit, fill, reseed },
    bytes: (length) => fill(new Uint8Array(length)),
    pick: (items) => {
      const item = items[Math.floor(unit() * items.length)]
      if (item === undefined) throw new RangeError('expected something to pick from')
      return item
    }
  }
}

function rotated(word: number, bits: number): number {
  return (word << bits) | (word >>> (32 - bits))
}
