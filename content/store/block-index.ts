/** Where a block lies. */
export interface Place {
  /** Number of its pack, from 1. */
  readonly pack: number
  /** Of its header, from the start of the pack. */
  readonly offset: number
  /** Bytes of the block. */
  readonly length: number
}

/** What identifies a block: its multihash. */
export interface BlockId {
  /** Multicodec of the hash function. */
  readonly code: number
  readonly digest: Uint8Array
}

const SHARDS = 256
const SLOT_WORDS = 8
const PACK = 4
const OFFSET = 5
const LENGTH = 6
const TOUCHED = 7
const FIRST_SLOTS = 16
const FILLED_MAX = 0.7

interface Shard {
  slots: Uint32Array
  count: number
}

/**
 * Where every block lies, in memory: 32 bytes a slot, about 60 a block. 256 open-addressed tables, so that growing one
 * never stops the program for long.
 *
 * A block is known by 16 bytes of its digest. Two blocks that share those would cost an attacker 2^64 hashes, and
 * gain that one of them seems missing here: who reads compares the whole digest.
 */
export class BlockIndex {
  readonly #shards: Shard[] = Array.from({ length: SHARDS }, () => ({
    slots: new Uint32Array(FIRST_SLOTS * SLOT_WORDS),
    count: 0
  }))
  readonly #key = new Uint32Array(4)

  /** Blocks known. */
  get size(): number {
    return this.#shards.reduce((sum, { count }) => sum + count, 0)
  }

  /** Where a block lies; `undefined` when it is not here. */
  get(id: BlockId): Place | undefined {
    const { slots } = this.#shardOf(id)
    const at = this.#find(slots, id)
    const pack = slots[at + PACK] ?? 0
    if (pack === 0) return undefined
    return { pack, offset: slots[at + OFFSET] ?? 0, length: slots[at + LENGTH] ?? 0 }
  }

  /** Puts a block somewhere, or somewhere else; `touched` is what {@link BlockIndex.touchedAt} gives then. */
  set(id: BlockId, place: Place, touched: number): void {
    const shard = this.#shardOf(id)
    if (shard.count + 1 > (shard.slots.length / SLOT_WORDS) * FILLED_MAX) grow(shard)
    const { slots } = shard
    const at = this.#find(slots, id)
    if (slots[at + PACK] === 0) shard.count++
    slots.set(this.#key, at)
    slots[at + PACK] = place.pack
    slots[at + OFFSET] = place.offset
    slots[at + LENGTH] = place.length
    slots[at + TOUCHED] = touched
  }

  /** Forgets a block. */
  delete(id: BlockId): void {
    const shard = this.#shardOf(id)
    const { slots } = shard
    const at = this.#find(slots, id)
    if (slots[at + PACK] === 0) return
    shard.count--
    close(slots, at)
  }

  /** Notes when a block was last used; nothing when it is not here. */
  touch(id: BlockId, touched: number): void {
    const { slots } = this.#shardOf(id)
    const at = this.#find(slots, id)
    if (slots[at + PACK] !== 0) slots[at + TOUCHED] = touched
  }

  /** When a block was last used; 0 when it is not here. */
  touchedAt(id: BlockId): number {
    const { slots } = this.#shardOf(id)
    return slots[this.#find(slots, id) + TOUCHED] ?? 0
  }

  #shardOf({ digest }: BlockId): Shard {
    return this.#shards[digest[0] ?? 0] as Shard
  }

  /** The slot of a block, or the empty one where it would go. */
  #find(slots: Uint32Array, { code, digest }: BlockId): number {
    const key = this.#key
    for (let word = 0; word < 4; word++) {
      const at = word * 4
      key[word] =
        (digest[at] ?? 0) |
        ((digest[at + 1] ?? 0) << 8) |
        ((digest[at + 2] ?? 0) << 16) |
        ((digest[at + 3] ?? 0) << 24)
    }
    key[3] = (key[3] ?? 0) ^ code
    const mask = slots.length - 1
    let at = homeOf(key[1] ?? 0, mask)
    while (slots[at + PACK] !== 0 && !isKey(slots, at, key)) at = (at + SLOT_WORDS) & mask
    return at
  }
}

function homeOf(word: number, mask: number): number {
  return (word * SLOT_WORDS) & mask
}

function isKey(slots: Uint32Array, at: number, key: Uint32Array): boolean {
  return (
    slots[at] === key[0] && slots[at + 1] === key[1] && slots[at + 2] === key[2] && slots[at + 3] === key[3]
  )
}

function grow(shard: Shard): void {
  const before = shard.slots
  const after = new Uint32Array(before.length * 2)
  const mask = after.length - 1
  for (let from = 0; from < before.length; from += SLOT_WORDS) {
    if (before[from + PACK] === 0) continue
    let to = homeOf(before[from + 1] ?? 0, mask)
    while (after[to + PACK] !== 0) to = (to + SLOT_WORDS) & mask
    after.set(before.subarray(from, from + SLOT_WORDS), to)
  }
  shard.slots = after
}

/** Empties a slot and moves back what was pushed on by it (Knuth, The Art of Computer Programming 3, 6.4, algorithm R). */
function close(slots: Uint32Array, at: number): void {
  const mask = slots.length - 1
  let hole = at
  for (let next = (at + SLOT_WORDS) & mask; slots[next + PACK] !== 0; next = (next + SLOT_WORDS) & mask) {
    const home = homeOf(slots[next + 1] ?? 0, mask)
    const isBetween = hole <= next ? hole < home && home <= next : hole < home || home <= next
    if (isBetween) continue
    slots.copyWithin(hole, next, next + SLOT_WORDS)
    hole = next
  }
  slots.fill(0, hole, hole + SLOT_WORDS)
}
