import { murmur3128 } from '@multiformats/murmur3'
import { ContentError } from './errors.ts'

/** Bytes of the hash that shards use: the first half of murmur3-x64-128, as Go does. */
const HASH_BYTES = 8

/** The hash by which a sharded folder places `name`. */
export async function hashName(name: string): Promise<Uint8Array> {
  const hash = await murmur3128.encode(new TextEncoder().encode(name))
  return hash.subarray(0, HASH_BYTES)
}

/**
 * The slot of a name at `level` (0 is the folder's own block), from its {@link hashName}: the next `fanoutBits`
 * bits, highest first.
 *
 * @throws ContentError `ERR_DAG_MALFORMED` when the hash has no bits left for this level
 */
export function slotOf(hash: Uint8Array, level: number, fanoutBits: number): number {
  const first = level * fanoutBits
  if (first + fanoutBits > HASH_BYTES * 8) {
    throw new ContentError('ERR_DAG_MALFORMED', `a sharded folder of more than ${level} levels`)
  }
  let slot = 0
  for (let bit = first; bit < first + fanoutBits; bit++) {
    slot = slot * 2 + (((hash[bit >> 3] ?? 0) >> (7 - (bit & 7))) & 1)
  }
  return slot
}
