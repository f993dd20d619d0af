import { createHash } from 'node:crypto'
import { CID } from 'multiformats/cid'
import * as raw from 'multiformats/codecs/raw'
import { create as createDigest } from 'multiformats/hashes/digest'
import type { Clock } from '#contracts'
import type { Host } from '#dht'
import { didFromPeerId, encodeCanonical, peerIdFromDid, type Did } from '#did'
import { REPLICA_PROTOCOL, type PoolId, type ReplicaNetwork } from '#replication'

/** Multihash code of SHA-256. */
const SHA_256 = 0x12

/** How long after a search of its own that had peers to begin with, and that somebody answered, a pool is looked for among the nearest peers known only. */
const SEARCH_AGAIN_MS: number = 5 * 60 * 1_000
/** Pools of which it is remembered when they were looked for. */
const POOLS_REMEMBERED_MAX = 1_024

/**
 * The host as replication sees it: questions over streams, pools as provider records. Who finds nobody in a pool looks again
 * after two seconds, four, eight, and so on. The peers nearest to the pool have just answered then; some of them are asked again, who
 * hear of everybody who comes. A new search asks all twenty: of fifty nodes that published and talked, two thirds of the questions
 * to the DHT were these, after the first minute.
 */
export function createReplicaNetwork(
  host: Pick<Host, 'exchange' | 'metrics' | 'ownRouting'>,
  clock: Pick<Clock, 'monotonicMs'>
): ReplicaNetwork {
  const { exchange, ownRouting } = host
  const searchedAtMs = new Map<PoolId, number>()
  const isSearchedLately = (pool: PoolId): boolean => {
    const nowMs = clock.monotonicMs()
    const beforeMs = searchedAtMs.get(pool)
    return beforeMs !== undefined && nowMs - beforeMs < SEARCH_AGAIN_MS
  }
  const noteSearch = (pool: PoolId): void => {
    searchedAtMs.delete(pool)
    searchedAtMs.set(pool, clock.monotonicMs())
    if (searchedAtMs.size > POOLS_REMEMBERED_MAX)
      for (const oldest of searchedAtMs.keys().take(1)) searchedAtMs.delete(oldest)
  }
  return {
    request: async (device, message, { signal }) =>
      await exchange.request(peerIdFromDid(device), REPLICA_PROTOCOL, message, { signal }),
    handle: async (handler) =>
      await exchange.serve(REPLICA_PROTOCOL, async ({ peerId, bytes, signal }) => {
        return await handler(didFromPeerId(peerId), bytes, { signal })
      }),
    announce: async (pool, { signal }) => {
      await ownRouting.provideQuick(poolCid(pool), { signal, transient: true })
    },
    find: async function* (pool, { signal }) {
      const isQuick = isSearchedLately(pool)
      // who knew nobody when it began has asked nobody, or the first few who came
      let isSearch = !isQuick && host.metrics().tableSize > 0
      let isAnswered = false
      const onAnswer = (): void => {
        isAnswered = true
      }
      try {
        const found = ownRouting.findProviders(poolCid(pool), { signal, quick: isQuick, onAnswer })
        for await (const { peerId } of found) {
          const device = didOf(peerId)
          if (device !== undefined) yield device
        }
      } catch (thrown) {
        isSearch = false
        throw thrown
      } finally {
        // also when whoever asked has found enough
        if (isSearch && isAnswered) noteSearch(pool)
      }
    }
  }
}

/**
 * The CID under which the devices of a pool announce themselves. No block with that CID exists.
 *
 * @see docs/protocols/replication.md
 */
export function poolCid(pool: PoolId): CID {
  const digest = createHash('sha256')
    .update(encodeCanonical([REPLICA_PROTOCOL, pool]))
    .digest()
  return CID.createV1(raw.code, createDigest(SHA_256, digest))
}

/** Peers with other than Ed25519 keys have no did, and no part in this. */
function didOf(peerId: string): Did | undefined {
  try {
    return didFromPeerId(peerId)
  } catch {
    return undefined
  }
}
