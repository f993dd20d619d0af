import type { Libp2p } from '@libp2p/interface'
import { peerIdFromString } from '@libp2p/peer-id'
import { multiaddr } from '@multiformats/multiaddr'
import type { CID } from 'multiformats/cid'
import type { Clock } from '#contracts'
import type { Confidence, Judge } from './confidence.ts'
import { PROVIDER_ADDRESSES_MAX, ROUTING_TIMEOUT_MS } from './constants.ts'
import { startDeadline } from './deadline.ts'
import { DhtError } from './errors.ts'
import type { DhtPeer, QueryEngine } from './query/index.ts'

/** A peer that was looked for. */
export interface FoundPeer {
  readonly peerId: string
  /** Where it says, or others say, it is. */
  readonly multiaddrs: readonly string[]
  readonly isConnected: boolean
  /** How far the answer can be trusted. */
  readonly confidence: Confidence
}

/** Questions to our DHT that people ask, not parts of the node. */
export interface Inspection {
  /**
   * How far what the DHT says of a content can be trusted: looks for the peers closest to it and judges them.
   *
   * @throws the reason of `signal`, or {@link DhtError} `ERR_DHT_TIMEOUT`
   */
  judgeContent(cid: CID, signal: AbortSignal): Promise<Confidence>
  /**
   * Where a peer is.
   *
   * @throws {@link DhtError} `ERR_PEER_NOT_FOUND`, `ERR_DHT_NO_PEERS`, `ERR_DHT_TIMEOUT`, or the reason of `signal`
   */
  findPeer(peerId: string, signal: AbortSignal): Promise<FoundPeer>
}

/** What {@link createInspection} works with. */
export interface InspectionComponents {
  readonly libp2p: Pick<Libp2p, 'getConnections' | 'peerStore' | 'peerId' | 'getMultiaddrs'>
  readonly queries: Pick<QueryEngine, 'lookup'>
  readonly judge: Judge
  /** Resolves with the number of peers to ask. */
  readonly whenJoined: (signal: AbortSignal) => Promise<number>
  readonly clock: Clock
}

/** Questions to a DHT. */
export function createInspection(components: InspectionComponents): Inspection {
  const { judge } = components
  return {
    judgeContent: async (cid, signal) => {
      const key = cid.multihash.bytes
      return judge.judge(key, idsOf(await lookUp(components, key, signal)))
    },
    findPeer: async (peerId, signal) => await findPeer(components, peerId, signal)
  }
}

async function lookUp(
  { queries, judge, whenJoined, clock }: InspectionComponents,
  key: Uint8Array,
  signal: AbortSignal
): Promise<DhtPeer[]> {
  using limit = startDeadline(clock, ROUTING_TIMEOUT_MS, signal)
  await whenJoined(limit.signal)
  const peers = await queries.lookup(key, limit.signal, { isThorough: true })
  judge.learn(key, idsOf(peers))
  return peers
}

function idsOf(peers: readonly DhtPeer[]): string[] {
  return peers.map(({ peerId }) => peerId)
}

async function findPeer(
  components: InspectionComponents,
  text: string,
  signal: AbortSignal
): Promise<FoundPeer> {
  const { libp2p, judge } = components
  const id = peerIdFromString(text)
  const peerId = id.toString()
  const key = id.toMultihash().bytes
  if (libp2p.peerId.equals(id)) {
    const multiaddrs = libp2p.getMultiaddrs().map(String)
    return { peerId, multiaddrs, isConnected: true, confidence: judge.judge(key, []) }
  }
  const isConnected = libp2p.getConnections(id).length > 0
  const peers = await lookUp(components, key, signal)
  const named = peers.find((peer) => peer.peerId === peerId)?.multiaddrs ?? []
  const known = (await libp2p.peerStore.has(id)) ? (await libp2p.peerStore.get(id)).addresses : []
  const multiaddrs = [
    ...new Set([...known.map(({ multiaddr: address }) => String(address)), ...readAddresses(named)])
  ].slice(0, PROVIDER_ADDRESSES_MAX)
  if (multiaddrs.length === 0 && !isConnected) {
    if (peers.length === 0) throw new DhtError('ERR_DHT_NO_PEERS', `no peer is known to ask for ${peerId}`)
    throw new DhtError('ERR_PEER_NOT_FOUND', `none of ${peers.length} peers knows where ${peerId} is`)
  }
  return { peerId, multiaddrs, isConnected, confidence: judge.judge(key, idsOf(peers)) }
}

/** What cannot be read is left out. */
function readAddresses(addresses: readonly Uint8Array[]): string[] {
  return addresses.flatMap((bytes) => {
    try {
      return [multiaddr(bytes).toString()]
    } catch {
      return []
    }
  })
}
