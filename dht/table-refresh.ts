import { createHash } from 'node:crypto'
import { errorMessage } from '#contracts'
import type { Clock, Logger, Random } from '#contracts'
import {
  CLOSEST_PEERS,
  TABLE_FIRST_REFRESH_DELAY_MS,
  TABLE_REFRESH_BUCKETS_MAX,
  TABLE_REFRESH_INTERVAL_MS,
  TABLE_REFRESH_LOOKUP_TIMEOUT_MS,
  TABLE_REFRESH_TURNS
} from './constants.ts'
import { startDeadline } from './deadline.ts'
import type { DhtTable } from './dht-service.ts'
import type { QueryEngine } from './query/index.ts'

/** How many random keys are tried, for each that is expected to be needed, before a bucket is given up. */
const KEY_TRIES_FACTOR = 32

/** How many leading bits two Kademlia ids have in common. */
export function commonPrefixBits(a: Uint8Array, b: Uint8Array): number {
  for (let index = 0; index < a.length; index++) {
    const difference = (a[index] ?? 0) ^ (b[index] ?? 0)
    if (difference !== 0) return index * 8 + Math.clz32(difference) - 24
  }
  return a.length * 8
}

/**
 * The buckets to look into, as lengths of the prefix shared with our own id. Looking for ourselves already finds the
 * `closestCount` peers nearest to us, so only the buckets before those are left, within a bound.
 *
 * Stock kad-dht counts whole zero *bytes* for this length, so that it looks into the first bucket only, however large
 * the network is.
 */
export function planRefresh(own: Uint8Array, others: readonly Uint8Array[], closestCount: number): number[] {
  if (others.length < closestCount) return []
  const shared = others.map((other) => commonPrefixBits(own, other)).toSorted((a, b) => b - a)
  const count = Math.min((shared[closestCount - 1] ?? 0) + 1, TABLE_REFRESH_BUCKETS_MAX)
  return Array.from({ length: count }, (_, prefixBits) => prefixBits)
}

/**
 * Whether it is a bucket's turn in a round. Those far from us have many peers, of which some may be gone: they take turns. Who is
 * nearest to us is looked for in each round, for nobody else knows them all.
 */
export function isBucketsTurn(round: number, prefixBits: number): boolean {
  return round === 0 || (round + prefixBits) % TABLE_REFRESH_TURNS === 0
}

/**
 * A key whose Kademlia id (its SHA-256) shares exactly `prefixBits` leading bits with `own`, or `undefined` when none was
 * found among a bounded number of random ones.
 */
export function randomKeyInBucket(
  own: Uint8Array,
  prefixBits: number,
  random: Random
): Uint8Array | undefined {
  const tries = KEY_TRIES_FACTOR * 2 ** (prefixBits + 1)
  const key = random.bytes(34)
  // the multihash of a SHA-256 digest, since that is what peers ask about
  key.set([0x12, 0x20])
  const view = new DataView(key.buffer)
  for (let count = 0; count < tries; count += 1) {
    view.setUint32(30, count)
    if (commonPrefixBits(own, createHash('sha256').update(key).digest()) === prefixBits) return key
  }
  return undefined
}

/** What refreshing is made of. */
export interface TableRefreshComponents {
  readonly queries: Pick<QueryEngine, 'lookup'>
  readonly table: DhtTable
  /** What our own Kademlia id is the hash of: the multihash of our PeerId. */
  readonly ownKey: Uint8Array
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
}

/** Keeps the routing table filled: at the first peer, and from time to time, by turns. */
export interface TableRefresh extends AsyncDisposable {
  /** Looks for our neighbours and into each bucket now, and resolves with the number of lookups. */
  refresh(signal: AbortSignal): Promise<number>
}

/** Starts refreshing in the background. */
export function startTableRefresh(components: TableRefreshComponents): TableRefresh {
  const { table, clock, logger } = components
  const stopping = new AbortController()
  const filled = Promise.withResolvers<void>()
  const added = table.onAdd(() => {
    filled.resolve()
  })
  const run = async (): Promise<void> => {
    await filled.promise
    added[Symbol.dispose]()
    await clock.sleep(TABLE_FIRST_REFRESH_DELAY_MS, stopping.signal)
    for (let round = 0; ;) {
      const { planned } = await refresh(components, round, stopping.signal)
      // with too few to plan with, whoever comes then is new to every bucket
      round = planned === 0 ? 0 : round + 1
      await clock.sleep(TABLE_REFRESH_INTERVAL_MS, stopping.signal)
    }
  }
  if (table.size() > 0) filled.resolve()
  const running = run().catch((error: unknown) => {
    if (!stopping.signal.aborted) logger.error('table refresh stopped', { error: errorMessage(error) })
  })
  return {
    refresh: async (signal) => (await refresh(components, 0, signal)).lookups,
    [Symbol.asyncDispose]: async () => {
      stopping.abort()
      added[Symbol.dispose]()
      filled.resolve()
      await running
    }
  }
}

/** What a round did. */
interface Round {
  readonly lookups: number
  /** The buckets to look into, their turn or not; none where too few peers are known. */
  readonly planned: number
}

async function refresh(
  components: TableRefreshComponents,
  round: number,
  signal: AbortSignal
): Promise<Round> {
  const { table, ownKey, random } = components
  // who is nearest to us must each know us; of a bucket farther away some are enough
  await lookUp(components, { key: ownKey, isThorough: true }, signal)
  const own = table.ownKadId()
  let lookups = 1
  const plan = own === undefined ? [] : planRefresh(own, table.kadIds(), CLOSEST_PEERS)
  for (const prefixBits of plan) {
    if (!isBucketsTurn(round, prefixBits)) continue
    const key = own && randomKeyInBucket(own, prefixBits, random)
    if (key === undefined) continue
    await lookUp(components, { key, isThorough: false }, signal)
    lookups += 1
  }
  return { lookups, planned: plan.length }
}

async function lookUp(
  { queries, clock, logger }: TableRefreshComponents,
  { key, isThorough }: { readonly key: Uint8Array; readonly isThorough: boolean },
  signal: AbortSignal
): Promise<void> {
  signal.throwIfAborted()
  using limit = startDeadline(clock, TABLE_REFRESH_LOOKUP_TIMEOUT_MS, signal)
  try {
    // peers that answer enter the table by themselves
    await queries.lookup(key, limit.signal, { isThorough })
  } catch (error) {
    signal.throwIfAborted()
    logger.debug('refresh lookup ended early', { error: errorMessage(error) })
  }
}
