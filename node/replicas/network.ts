import { createHash } from 'node:crypto'
import { CID } from 'multiformats/cid'
import * as raw from 'multiformats/codecs/raw'
import { create as createDigest } from 'multiformats/hashes/digest'
import type { Host } from '#dht'
import { didFromPeerId, encodeCanonical, peerIdFromDid, type Did } from '#did'
import { REPLICA_PROTOCOL, type PoolId, type ReplicaNetwork } from '#replication'

/** Multihash code of SHA-256. */
const SHA_256 = 0x12

/** The host as replication sees it: questions over streams, pools as provider records. */
export function createReplicaNetwork(host: Pick<Host, 'exchange' | 'ownRouting'>): ReplicaNetwork {
  const { exchange, ownRouting } = host
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
      for await (const { peerId } of ownRouting.findProviders(poolCid(pool), { signal })) {
        const device = didOf(peerId)
        if (device !== undefined) yield device
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
