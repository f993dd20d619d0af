import { createHash } from 'node:crypto'
import type { ProvideNetwork } from '../../dht/provide/regions.ts'
import type { DhtPeer } from '../../dht/query/index.ts'

/** A DHT of many peers in memory, without sockets: every lookup finds the peers that are truly nearest. */
export interface SimulatedDht extends ProvideNetwork {
  /** The peers nearest to a key, without a lookup being counted. */
  nearest(key: Uint8Array, count?: number): DhtPeer[]
  /** How many lookups were made. */
  lookups(): number
  /** How many times a peer was sent something. */
  parcels(): number
  /** The places, in hexadecimal, of the keys that a peer was announced. */
  heldBy(peerId: string): ReadonlySet<string>
  /** What this returns `true` for does not answer. */
  isDead: (peerId: string) => boolean
}

/** How many peers are closest. */
const CLOSEST = 20

/** A network of `peerCount` peers at places that only `seed` decides. `remembers`: which peer holds what is kept. */
export function createSimulatedDht(
  peerCount: number,
  { seed = 'network', remembers = true }: { seed?: string; remembers?: boolean } = {}
): SimulatedDht {
  const peers = Array.from({ length: peerCount }, (_, index) => peerAt(`${seed} ${index}`)).toSorted((a, b) =>
    Buffer.compare(a.kadId, b.kadId)
  )
  const held = new Map<string, Set<string>>()
  let lookups = 0
  let parcels = 0
  const network: SimulatedDht = {
    nearest: (key, count = CLOSEST) => nearestOf(peers, sha256(key), count),
    lookup: async (key) => {
      lookups += 1
      return await Promise.resolve(
        network
          .nearest(key, 2 * CLOSEST)
          .filter(({ peerId }) => !network.isDead(peerId))
          .slice(0, CLOSEST)
      )
    },
    announceTo: async (peer, keys) => {
      const peerId = typeof peer === 'string' ? peer : peer.peerId
      if (network.isDead(peerId)) throw new Error('expected an answer, got none')
      parcels += 1
      if (!remembers) return await Promise.resolve(keys.length)
      const own = held.get(peerId) ?? new Set()
      for (const key of keys) own.add(sha256(key).toString('hex'))
      held.set(peerId, own)
      return await Promise.resolve(keys.length)
    },
    lookups: () => lookups,
    parcels: () => parcels,
    heldBy: (peerId) => held.get(peerId) ?? new Set(),
    isDead: () => false
  }
  return network
}

function peerAt(name: string): DhtPeer {
  const id = sha256(name)
  return { peerId: id.toString('hex'), id, kadId: sha256(id), multiaddrs: [] }
}

function sha256(bytes: Uint8Array | string): Buffer {
  return createHash('sha256').update(bytes).digest()
}

/** The nearest of peers sorted by place: whoever shares more leading bits is nearer. */
function nearestOf(peers: readonly DhtPeer[], place: Uint8Array, count: number): DhtPeer[] {
  const found: DhtPeer[] = []
  const visit = (from: number, to: number, bit: number): void => {
    if (found.length >= count || from >= to) return
    if (to - from === 1 || bit >= 256) {
      found.push(...peers.slice(from, to))
      return
    }
    const middle = firstWithBit(peers, { from, to, bit })
    const [near, far] =
      bitOf(place, bit) === 0
        ? [
            [from, middle],
            [middle, to]
          ]
        : [
            [middle, to],
            [from, middle]
          ]
    visit(near?.[0] ?? 0, near?.[1] ?? 0, bit + 1)
    visit(far?.[0] ?? 0, far?.[1] ?? 0, bit + 1)
  }
  visit(0, peers.length, 0)
  return found.slice(0, count)
}

function firstWithBit(
  peers: readonly DhtPeer[],
  { from, to, bit }: { from: number; to: number; bit: number }
): number {
  let [low, high] = [from, to]
  while (low < high) {
    const middle = (low + high) >> 1
    if (bitOf(peers[middle]?.kadId ?? new Uint8Array(32), bit) === 1) high = middle
    else low = middle + 1
  }
  return low
}

function bitOf(bytes: Uint8Array, bit: number): number {
  return ((bytes[bit >> 3] ?? 0) >> (7 - (bit & 7))) & 1
}
