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
  const shared: number[] = []
  tables.forEach(slot, (peer) => void shared.push(Math.clz32(own ^ tables.idOf(peer))))
  if (shared.length < closestPeers) return 0
  shared.sort((a, b) => b - a)
  return Math.min((shared[closestPeers - 1] as number) + 1, refreshBucketsMax)
}

/**
 * Those that were connected to the node that was here before notice that it is gone, as `dht/table-care.ts` does; its table is
 * emptied. Whoever knew it, but was not known by it, finds out by asking it.
 */
export function noticeDeath(tables: Tables, slot: number): void {
  const size = tables.sizeOf(slot)
  if (size === 0) return
  const gone = lastLife(tables.lives[slot] as number)
  tables.forEach(slot, (peer) => {
    const isConnected = mix(gone ^ peer) % size < CONNECTIONS_KEPT
    if (isConnected && tables.isAlive(peer)) tables.remove(slotOf(peer), gone)
  })
  tables.clear(slot)
}
