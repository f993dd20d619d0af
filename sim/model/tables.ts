import type { TableRules } from './constants.ts'
import { mix, mixSigned, slotOf, type Handle } from './identities.ts'

/** What {@link Tables} are made of. */
export interface TablesInit {
  readonly nodeCount: number
  readonly bucketSize: number
  readonly rules: TableRules
  /** Decides the ids. */
  readonly seed: number
}

/** Bytes of a word: a handle. */
const WORD = 4

/** Peers of a full bucket that are checked when somebody wants in, the oldest ones (kad-dht). */
const CHECKED_WHEN_FULL = 3

/**
 * The routing tables of all nodes in one array, a row each: how many are in each bucket, then buckets of handles, oldest first;
 * so that what is read together lies together. Buckets are as those of kad-dht's trie: one divides only when it is full, which
 * makes no difference to who finds room.
 */
export class Tables {
  readonly bucketCount: number
  /** The life that each node is in. */
  readonly lives: Uint32Array
  /** What the last {@link nearest} found. */
  readonly found: Uint32Array
  readonly #entries: Uint32Array
  readonly #counts: Uint8Array
  readonly #size: number
  readonly #bits: number
  readonly #levels: number
  /** Words of a row, and how many of them come before its buckets. */
  readonly #rowWords: number
  readonly #headWords: number
  readonly #salt: number
  readonly #group: Uint32Array
  readonly #distances: Int32Array
  #grouped = 0

  constructor({ nodeCount, bucketSize, rules, seed }: TablesInit) {
    this.#size = bucketSize
    this.#bits = rules.everywhereBits
    this.#levels = rules.ownPathLevels
    this.#salt = mix(seed ^ 0x1b873593)
    this.bucketCount = 2 ** rules.everywhereBits + rules.ownPathLevels
    this.lives = new Uint32Array(nodeCount)
    this.found = new Uint32Array(bucketSize)
    this.#headWords = Math.ceil(this.bucketCount / WORD)
    this.#rowWords = this.#headWords + this.bucketCount * bucketSize
    const rows = new ArrayBuffer(nodeCount * this.#rowWords * WORD)
    this.#entries = new Uint32Array(rows)
    this.#counts = new Uint8Array(rows)
    this.#group = new Uint32Array((this.#levels + 1) * bucketSize)
    this.#distances = new Int32Array(bucketSize)
  }

  /** The first 32 bits of the id of a life. */
  idOf(handle: Handle): number {
    return mix(handle ^ this.#salt)
  }

  /** How far a life is from a target: 31 bits, of which two nodes rarely have the same, and which fit a small integer of V8. */
  distance(handle: Handle, target: number): number {
    return (mixSigned(handle ^ this.#salt) ^ target) >>> 1
  }

  /** Whether a life is not over, or not before its node was born again. */
  isAlive(handle: Handle): boolean {
    return this.lives[slotOf(handle)] === handle
  }

  /** Bytes of the arrays. */
  get bytes(): number {
    return this.#entries.byteLength + this.lives.byteLength
  }

  /** Empties the table of a node. */
  clear(slot: number): void {
    const from = slot * this.#rowWords * WORD
    this.#counts.fill(0, from, from + this.bucketCount)
  }

  /** How many peers are in the table of a node. */
  sizeOf(slot: number): number {
    let size = 0
    const from = slot * this.#rowWords * WORD
    for (let at = from; at < from + this.bucketCount; at++) size += this.#counts[at] as number
    return size
  }

  /** Calls `visit` for each peer in the table of a node. */
  forEach(slot: number, visit: (peer: Handle) => void): void {
    const row = slot * this.#rowWords
    for (let bucket = 0; bucket < this.bucketCount; bucket++) {
      const from = this.#firstOf(row, bucket)
      const count = this.#counts[row * WORD + bucket] as number
      for (let at = from; at < from + count; at++) visit(this.#entries[at] as number)
    }
  }

  has(slot: number, peer: Handle): boolean {
    return this.#placeOf(slot * this.#rowWords, this.#bucketOf(slot, mixSigned(peer ^ this.#salt)), peer) >= 0
  }

  /** Takes a peer that is there into the table of a node, if it has room or the oldest of its bucket are gone. */
  offer(slot: number, peer: Handle): void {
    const row = slot * this.#rowWords
    const bucket = this.#bucketOf(slot, mixSigned(peer ^ this.#salt))
    if (this.#placeOf(row, bucket, peer) >= 0) return
    const countAt = row * WORD + bucket
    const from = this.#firstOf(row, bucket)
    if (this.#counts[countAt] === this.#size) {
      for (let at = from + CHECKED_WHEN_FULL - 1; at >= from; at--) {
        if (!this.isAlive(this.#entries[at] as number)) this.#removeAt(row, bucket, at)
      }
    }
    const count = this.#counts[countAt] as number
    if (count === this.#size) return
    this.#entries[from + count] = peer
    this.#counts[countAt] = count + 1
  }

  remove(slot: number, peer: Handle): void {
    const row = slot * this.#rowWords
    const bucket = this.#bucketOf(slot, mixSigned(peer ^ this.#salt))
    const at = this.#placeOf(row, bucket, peer)
    if (at >= 0) this.#removeAt(row, bucket, at)
  }

  /**
   * Puts the peers in a table that are nearest to a target into {@link found}, in no order, and returns how many they are.
   * Buckets are visited from the nearest on, so that mostly one or two are read.
   */
  nearest(slot: number, target: number, except: Handle): number {
    const shift = 32 - this.#bits
    const own = mixSigned((this.lives[slot] as number) ^ this.#salt)
    const ownPart = own >>> shift
    const targetPart = target >>> shift
    const row = slot * this.#rowWords
    let count = 0
    for (let apart = 0; apart < 2 ** this.#bits && count < this.#size; apart++) {
      const part = targetPart ^ apart
      if (part !== ownPart || this.#levels === 0) {
        this.#gather(row, part, except)
        count = this.#take(count, target)
      } else count = this.#ownPart({ row, own, target, except, count })
    }
    return count
  }

  /** Peers of the part of the space that the node itself lies in. */
  #ownPart(o: { row: number; own: number; target: number; except: Handle; count: number }): number {
    const { row, own, target, except } = o
    const first = 2 ** this.#bits
    const last = this.#levels - 1
    const level = Math.clz32(own ^ target) - this.#bits
    let count = o.count
    if (level >= 0 && level < last) {
      this.#gather(row, first + level, except)
      count = this.#take(count, target)
      if (count === this.#size) return count
    }
    // all who are nearer to us than the target is; when it lies elsewhere, everybody here
    for (let deeper = level < 0 ? 0 : Math.min(level + 1, last); deeper <= last; deeper++) {
      this.#gather(row, first + deeper, except)
    }
    count = this.#take(count, target)
    for (let wider = Math.min(level, last) - 1; wider >= 0 && count < this.#size; wider--) {
      this.#gather(row, first + wider, except)
      count = this.#take(count, target)
    }
    return count
  }

  #firstOf(row: number, bucket: number): number {
    return row + this.#headWords + bucket * this.#size
  }

  #gather(row: number, bucket: number, except: Handle): void {
    const from = this.#firstOf(row, bucket)
    const count = this.#counts[row * WORD + bucket] as number
    for (let at = from; at < from + count; at++) {
      const peer = this.#entries[at] as number
      if (peer !== except) this.#group[this.#grouped++] = peer
    }
  }

  /** Adds the nearest of those gathered to what was found, as many as there is room for. */
  #take(count: number, target: number): number {
    const grouped = this.#grouped
    this.#grouped = 0
    const room = this.#size - count
    if (grouped <= room) {
      for (let index = 0; index < grouped; index++) this.found[count + index] = this.#group[index] as number
      return count + grouped
    }
    if (room === 0) return count
    const distances = this.#distances
    let taken = 0
    for (let index = 0; index < grouped; index++) {
      const peer = this.#group[index] as number
      const distance = this.distance(peer, target)
      if (taken === room && distance > (distances[taken - 1] as number)) continue
      let at = taken < room ? taken++ : taken - 1
      for (; at > 0 && (distances[at - 1] as number) > distance; at--) {
        distances[at] = distances[at - 1] as number
        this.found[count + at] = this.found[count + at - 1] as number
      }
      distances[at] = distance
      this.found[count + at] = peer
    }
    return count + taken
  }

  #bucketOf(slot: number, id: number): number {
    const own = mixSigned((this.lives[slot] as number) ^ this.#salt)
    const part = id >>> (32 - this.#bits)
    if (this.#levels === 0 || part !== own >>> (32 - this.#bits)) return part
    const level = Math.min(Math.clz32(own ^ id) - this.#bits, this.#levels - 1)
    return 2 ** this.#bits + level
  }

  #placeOf(row: number, bucket: number, peer: Handle): number {
    const from = this.#firstOf(row, bucket)
    const to = from + (this.#counts[row * WORD + bucket] as number)
    for (let at = from; at < to; at++) if (this.#entries[at] === peer) return at
    return -1
  }

  #removeAt(row: number, bucket: number, at: number): void {
    const countAt = row * WORD + bucket
    const count = this.#counts[countAt] as number
    const end = this.#firstOf(row, bucket) + count
    for (let next = at + 1; next < end; next++) this.#entries[next - 1] = this.#entries[next] as number
    this.#counts[countAt] = count - 1
  }
}
