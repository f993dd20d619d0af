import { CONNECTIONS_KEPT, type LookupRules } from './constants.ts'
import { lastLife, mix, slotOf } from './identities.ts'
import type { Tables } from './tables.ts'

/** How many buckets a node looks into, as `planRefresh` of `dht/table-refresh.ts` has it: those before its neighbours. */
export function bucketsToRefresh(
  tables: Tables,
  slot: number,
  { closestPeers, refreshBucketsMax }: Pick<LookupRules, 'closestPeers' | 'refreshBucketsMax'>
): number {
  const own = tables.idOf(tables.lives[slot] as number)
  /** How many share so many bits with the node. */
  const sharing = new Uint16Array(33)
  tables.forEach(
    slot,
    (id) => void (sharing[Math.clz32(own ^ id)] = (sharing[Math.clz32(own ^ id)] as number) + 1)
  )
  let count = 0
  for (let shared = 32; shared >= 0; shared--) {
    count += sharing[shared] as number
    if (count >= closestPeers) return Math.min(shared + 1, refreshBucketsMax)
  }
  return 0
}

/** Whether a node looks into a bucket in a round of its refreshes, as `isBucketsTurn` of `dht/table-refresh.ts` has it. */
export function isBucketsTurn(
  round: number,
  bucket: number,
  { refreshTurns }: Pick<LookupRules, 'refreshTurns'>
): boolean {
  return round === 0 || (round + bucket) % refreshTurns === 0
}

/**
 * Those that were connected to the node that was here before notice that it is gone, as `dht/table-care.ts` does; its table is
 * emptied. Whoever knew it, but was not known by it, finds out by asking it.
 */
export function noticeDeath(tables: Tables, slot: number): void {
  const size = tables.sizeOf(slot)
  if (size === 0) return
  const gone = lastLife(tables.lives[slot] as number)
  tables.forEach(slot, (id) => {
    const peer = tables.handleOf(id)
    const isConnected = mix(gone ^ peer) % size < CONNECTIONS_KEPT
    if (isConnected && tables.isAlive(peer)) tables.remove(slotOf(peer), tables.idOf(gone))
  })
  tables.clear(slot)
}
