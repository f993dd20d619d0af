import { MemoryDatastore } from 'datastore-core'
import { CID } from 'multiformats/cid'
import { sha256 } from 'multiformats/hashes/sha2'
import type { Clock, Random } from '#contracts'
import { silentLogger, systemRandom } from '#contracts'
import { keyPairFromSeed } from '#did'
import type { KeyPair } from '#did'
import { isNewer } from '../../dht/name-record.ts'
import type { NameRouting } from '../../dht/name-routing.ts'
import { startNames } from '../../dht/names.ts'
import type { Names } from '../../dht/names.ts'
import type { ShelfDatastore } from '../../dht/shelf.ts'

/** One peer of a pretended DHT: what it holds, and whether it can be reached. */
export interface MemoryPeer {
  readonly id: string
  readonly records: Map<string, Uint8Array>
  isReachable: boolean
  /** Takes records to store; otherwise it answers lookups only. */
  isStoring: boolean
}

/** A DHT of a few peers in memory, where every peer is close to every key. */
export interface MemoryDht {
  readonly peers: readonly MemoryPeer[]
  readonly routing: NameRouting
  /** Gives a peer a record, newer or not, as an attacker or a peer from long ago would have it. */
  plant(peer: MemoryPeer | undefined, key: Uint8Array, record: Uint8Array): void
}

/** Makes a DHT of `size` peers that hold nothing. */
export function createMemoryDht(size: number): MemoryDht {
  const peers = Array.from({ length: size }, (_, index) => createPeer(`peer-${index}`))
  const reachable = (): MemoryPeer[] => peers.filter((peer) => peer.isReachable)
  return {
    peers,
    plant: (peer, key, record) => void peer?.records.set(textOf(key), record),
    routing: {
      label: 'memory',
      find: async function* (key) {
        for (const peer of reachable()) {
          await Promise.resolve()
          const record = peer.records.get(textOf(key))
          yield record === undefined ? { peer: peer.id } : { peer: peer.id, record }
        }
      },
      store: async (key, record) => {
        await Promise.resolve()
        const takers = reachable().filter((peer) => peer.isStoring)
        return takers.filter((peer) => take(peer, textOf(key), record)).length
      }
    }
  }
}

function createPeer(id: string): MemoryPeer {
  return { id, records: new Map(), isReachable: true, isStoring: true }
}

function take(peer: MemoryPeer, key: string, record: Uint8Array): boolean {
  const held = peer.records.get(key)
  if (held !== undefined && isNewer(held, record)) return false
  peer.records.set(key, record)
  return true
}

function textOf(key: Uint8Array): string {
  return Buffer.from(key).toString('hex')
}

/** The names of one device on a pretended DHT. */
export function startMemoryNames(
  dht: MemoryDht,
  clock: Clock,
  o: { datastore?: ShelfDatastore; signers?: readonly KeyPair[]; random?: Random } = {}
): Names {
  return startNames({
    routings: [dht.routing],
    datastore: o.datastore ?? new MemoryDatastore(),
    clock,
    random: o.random ?? systemRandom,
    logger: silentLogger,
    signerOf: (did) => Promise.resolve(o.signers?.find((signer) => signer.did === did))
  })
}

/** A key pair that is the same in every run. */
export function numberedKey(number: number): KeyPair {
  return keyPairFromSeed(new Uint8Array(32).fill(number))
}

/** The CID of a raw block that contains `text`. */
export async function cidOf(text: string): Promise<CID> {
  return CID.createV1(0x55, await sha256.digest(new TextEncoder().encode(text)))
}
