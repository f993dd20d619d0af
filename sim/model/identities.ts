import { MODEL_NODES_MAX } from './constants.ts'

/**
 * A life of a node: the place of the node in the arrays, and above it how many lives it had before. Whoever has the handle of
 * a life that is over still knows its id.
 */
export type Handle = number

const SLOT_BITS = 17
const SLOT_MASK = MODEL_NODES_MAX - 1

/** The place of the node in the arrays. */
export function slotOf(handle: Handle): number {
  return handle & SLOT_MASK
}

/** The handle of a life. */
export function handleOf(slot: number, life: number): Handle {
  return ((life << SLOT_BITS) | slot) >>> 0
}

/** The handle of the next life at the same place. */
export function nextLife(handle: Handle): Handle {
  return (handle + MODEL_NODES_MAX) >>> 0
}

/** The handle of the life before at the same place. */
export function lastLife(handle: Handle): Handle {
  return (handle - MODEL_NODES_MAX) >>> 0
}

/**
 * Mixes 32 bits (the finalizer of MurmurHash3). It maps different words to different ones, so that ids made with it are all
 * different, and their first 32 bits decide every comparison of distances.
 */
export function mix(word: number): number {
  return mixSigned(word) >>> 0
}

/** The same 32 bits as a number with a sign, which the engine keeps without allocating. */
export function mixSigned(word: number): number {
  let mixed = word ^ (word >>> 16)
  mixed = Math.imul(mixed, 0x85ebca6b)
  mixed ^= mixed >>> 13
  mixed = Math.imul(mixed, 0xc2b2ae35)
  return mixed ^ (mixed >>> 16)
}

/** The word that {@link mixSigned} makes this of: both factors have inverses modulo 2^32. */
export function unmix(mixed: number): number {
  let word = mixed ^ (mixed >>> 16)
  word = Math.imul(word, 0x7ed1b41d)
  word ^= (word >>> 13) ^ (word >>> 26)
  word = Math.imul(word, 0xa5cb9243)
  return word ^ (word >>> 16)
}

/**
 * How far an id is from a target: 32 bits with a sign, turned so that less is nearer. From the same target it leads back to the
 * id, so that whoever keeps distances needs to keep no ids.
 */
export function apart(id: number, target: number): number {
  return id ^ target ^ 0x80000000
}

/** Words and numbers that only a seed decides (a counter, mixed twice). */
export class ModelRandom {
  #state: number

  constructor(seed: number) {
    this.#state = mix(seed ^ 0x2545f491)
  }

  /** 32 bits. */
  word(): number {
    this.#state = (this.#state + 0x9e3779b9) | 0
    return mix(mix(this.#state) ^ 0x5851f42d)
  }

  /** In [0, 1). */
  unit(): number {
    return this.word() / 2 ** 32
  }

  /** A whole number below `count`. */
  below(count: number): number {
    return Math.floor(this.unit() * count)
  }

  /** A time of which half are shorter than `halfLife`, exponentially distributed. */
  life(halfLife: number): number {
    return -Math.log2(1 - this.unit()) * halfLife
  }
}
