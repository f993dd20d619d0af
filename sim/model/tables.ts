import type { TableRules } from './constants.ts'
import { apart, mix, mixSigned, slotOf, unmix, type Handle } from './identities.ts'

/** What {@link Tables} are made of. */
export interface TablesInit {
  readonly nodeCount: number
  readonly bucketSize: number
  readonly rules: TableRules
  /** Decides the ids. */
  readonly seed: number
}

/** Bytes of a word: an id. */
const WORD = 4

/** What is looked for in a row: what is nearest to a target, and how far from it whom is left out. */
interface Looked {
  readonly row: number
  readonly target: number
  readonly left: number
}

/** Peers of a full bucket that are checked when somebody wants in, the oldest ones (kad-dht). */
const CHECKED_WHEN_FULL = 3

/**
 * The routing tables of all nodes in one array, a row each: how many are in each bucket, then buckets of ids, oldest first; so
 * that what is read together lies together. An id leads back to its life, and its distance is an `xor`. Buckets are as those of kad-dht's trie: one divides only when it is full, which
 * makes no difference to who finds room.
 */
export class Tables {
  readonly bucketCount: number
  /** The life that each node is in. */
  readonly lives: Uint32Array
  /** How far those are from its target whom the last {@link nearest} found. */
  readonly found: Int32Array
  readonly #ids: Int32Array
  readonly #counts: Uint8Array
  readonly #size: number
  readonly #bits: number
  readonly #levels: number
  /** Into how many parts the whole space is divided. */
  readonly #parts: number
  /** Words of a row, and how many of them come before its buckets. */
  readonly #rowWords: number
  readonly #headWords: number
  readonly #salt: number
  readonly #group: Int32Array
  #grouped = 0

  constructor({ nodeCount, bucketSize, rules, seed }: TablesInit) {
    this.#size = bucketSize
    this.#bits = rules.everywhereBits
    this.#levels = rules.ownPathLevels
    this.#parts = 2 ** rules.everywhereBits
    this.#salt = mix(seed ^ 0x1b873593)
    this.bucketCount = this.#parts + rules.ownPathLevels
    this.lives = new Uint32Array(nodeCount)
    this.found = new Int32Array(bucketSize)
    this.#headWords = Math.ceil(this.bucketCount / WORD)
    this.#rowWords = this.#headWords + this.bucketCount * bucketSize
    const rows = new ArrayBuffer(nodeCount * this.#rowWords * WORD)
    this.#ids = new Int32Array(rows)
    this.#counts = new Uint8Array(rows)
    this.#group = new Int32Array((this.#levels + 1) * bucketSize)
  }

  /** The first 32 bits of the id of a life, with a sign. No other life has the same. */
  idOf(handle: Handle): number {
    return mixSigned(handle ^ this.#salt)
  }

  /** Whose id it is. */
  handleOf(id: number): Handle {
    return (unmix(id) ^ this.#salt) >>> 0
  }

  /** Whether a life is not over, or not before its node was born again. */
  isAlive(handle: Handle): boolean {
    return this.lives[slotOf(handle)] === handle
  }

  /** Bytes of the arrays. */
  get bytes(): number {
    return this.#ids.byteLength + this.lives.byteLength
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

  /** Calls `visit` with the id of each peer in the table of a node. */
  forEach(slot: number, visit: (id: number) => void): void {
    const row = slot * this.#rowWords
    for (let bucket = 0; bucket < this.bucketCount; bucket++) {
      const from = this.#firstOf(row, bucket)
      const count = this.#counts[row * WORD + bucket] as number
      for (let at = from; at < from + count; at++) visit(this.#ids[at] as number)
    }
  }

  /** Whether an id is in the table of a node. */
  has(slot: number, id: number): boolean {
    return this.#placeOf(slot * this.#rowWords, this.#bucketOf(this.#ownOf(slot), id), id) >= 0
  }

  /** Takes the id of a peer that is there into the table of a node, if it has room or the oldest of its bucket are gone. */
  offer(slot: number, id: number): void {
    const row = slot * this.#rowWords
    const bucket = this.#bucketOf(this.#ownOf(slot), id)
    if (this.#placeOf(row, bucket, id) >= 0) return
    const countAt = row * WORD + bucket
    const from = this.#firstOf(row, bucket)
    if (this.#counts[countAt] === this.#size) {
      for (let at = from + CHECKED_WHEN_FULL - 1; at >= from; at--) {
        if (!this.isAlive(this.handleOf(this.#ids[at] as number))) this.#removeAt(row, bucket, at)
      }
    }
    const count = this.#counts[countAt] as number
    if (count === this.#size) return
    this.#ids[from + count] = id
    this.#counts[countAt] = count + 1
  }

  /** Takes an id out of the table of a node. */
  remove(slot: number, id: number): void {
    const row = slot * this.#rowWords
    const bucket = this.#bucketOf(this.#ownOf(slot), id)
    const at = this.#placeOf(row, bucket, id)
    if (at >= 0) this.#removeAt(row, bucket, at)
  }

  /**
   * Puts how far those peers in a table are that are nearest to a target into {@link found}, in no order, and returns how many
   * they are; one id is left out. Buckets are visited from the nearest on, so that mostly one or two are read.
   */
  nearest(slot: number, target: number, except: number): number {
    const shift = 32 - this.#bits
    const own = this.#ownOf(slot)
    const ownPart = own >>> shift
    const targetPart = target >>> shift
    const row = slot * this.#rowWords
    const left = apart(except, target)
    let count = 0
    for (let further = 0; further < this.#parts && count < this.#size; further++) {
      const part = targetPart ^ further
      if (part !== ownPart || this.#levels === 0) {
        this.#gather({ row, target, left }, part)
        count = this.#take(count)
      } else count = this.#ownPart({ row, target, left }, own, count)
    }
    return count
  }

  /**
   * Reads from the row of a life what taking in an id and looking for a target will read. Memory brings at once what is read here
   * for one life after the other; when it is needed it would bring one line, and then the next.
   */
  read(handle: Handle, id: number, target: number): number {
    const row = slotOf(handle) * this.#rowWords
    const own = this.idOf(handle)
    const offered = this.#firstOf(row, this.#bucketOf(own, id))
    const wanted = this.#firstOf(row, this.#bucketOf(own, target))
    const ids = this.#ids
    const last = this.#size - 1
    const first = (ids[row] as number) ^ (ids[offered] as number) ^ (ids[wanted] as number)
    return first ^ (ids[offered + last] as number) ^ (ids[wanted + last] as number)
  }

  /** Peers of the part of the space that the node itself lies in. */
  #ownPart(looked: Looked, own: number, found: number): number {
    const first = this.#parts
    const last = this.#levels - 1
    const level = Math.clz32(own ^ looked.target) - this.#bits
    let count = found
    if (level >= 0 && level < last) {
      this.#gather(looked, first + level)
      count = this.#take(count)
      if (count === this.#size) return count
    }
    // all who are nearer to us than the target is; when it lies elsewhere, everybody here
    for (let deeper = level < 0 ? 0 : Math.min(level + 1, last); deeper <= last; deeper++) {
      this.#gather(looked, first + deeper)
    }
    count = this.#take(count)
    for (let wider = Math.min(level, last) - 1; wider >= 0 && count < this.#size; wider--) {
      this.#gather(looked, first + wider)
      count = this.#take(count)
    }
    return count
  }

  #ownOf(slot: number): number {
    return mixSigned((this.lives[slot] as number) ^ this.#salt)
  }

  #firstOf(row: number, bucket: number): number {
    return row + this.#headWords + bucket * this.#size
  }

  #gather({ row, target, left }: Looked, bucket: number): void {
    const ids = this.#ids
    const group = this.#group
    const from = this.#firstOf(row, bucket)
    const to = from + (this.#counts[row * WORD + bucket] as number)
    let grouped = this.#grouped
    for (let at = from; at < to; at++) {
      const distance = apart(ids[at] as number, target)
      group[grouped] = distance
      if (distance !== left) grouped++
    }
    this.#grouped = grouped
  }

  /** Adds the nearest of those gathered to what was found, as many as there is room for. */
  #take(count: number): number {
    const { found } = this
    const group = this.#group
    const grouped = this.#grouped
    this.#grouped = 0
    const room = this.#size - count
    if (grouped <= room) {
      for (let index = 0; index < grouped; index++) found[count + index] = group[index] as number
      return count + grouped
    }
    if (room === 0) return count
    let taken = count
    for (let index = 0; index < grouped; index++) {
      const distance = group[index] as number
      if (taken === this.#size && distance > (found[taken - 1] as number)) continue
      let at = taken < this.#size ? taken++ : taken - 1
      for (; at > count && (found[at - 1] as number) > distance; at--) found[at] = found[at - 1] as number
      found[at] = distance
    }
    return taken
  }

  #bucketOf(own: number, id: number): number {
    const shared = Math.clz32(own ^ id)
    if (this.#levels === 0 || shared < this.#bits) return id >>> (32 - this.#bits)
    return this.#parts + Math.min(shared - this.#bits, this.#levels - 1)
  }

  #placeOf(row: number, bucket: number, id: number): number {
    const ids = this.#ids
    const from = this.#firstOf(row, bucket)
    const to = from + (this.#counts[row * WORD + bucket] as number)
    for (let at = from; at < to; at++) if (ids[at] === id) return at
    return -1
  }

  #removeAt(row: number, bucket: number, at: number): void {
    const countAt = row * WORD + bucket
    const count = this.#counts[countAt] as number
    const end = this.#firstOf(row, bucket) + count
    for (let next = at + 1; next < end; next++) this.#ids[next - 1] = this.#ids[next] as number
    this.#counts[countAt] = count - 1
  }
}
