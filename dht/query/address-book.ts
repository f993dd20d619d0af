import type { PeerId, PeerInfo } from '@libp2p/interface'
import type { Clock } from '#contracts'
import { encodePeer } from './codec.ts'
import { ADDRESSES_CACHED_MAX, ADDRESSES_FRESH_MS } from './constants.ts'
import type { WirePeer } from './messages.ts'
import type { BookPeer, PeerBook } from './peer-book.ts'

/** What an address book is made of. */
export interface AddressBookComponents {
  readonly peerStore: { getInfo(peerId: PeerId): Promise<PeerInfo> }
  /** Leaves those addresses that may be told to others. */
  readonly mapper: (peer: PeerInfo) => PeerInfo
  readonly events: {
    addEventListener(
      type: 'peer:update',
      handler: (event: { detail: { peer: { id: PeerId } } }) => void
    ): void
    removeEventListener(
      type: 'peer:update',
      handler: (event: { detail: { peer: { id: PeerId } } }) => void
    ): void
  }
  readonly book: PeerBook
  readonly clock: Clock
}

/** Peers as answers name them. */
export interface AddressBook extends Disposable {
  /** Those of `peers` of which there is an address to tell, in that order. At once when all were looked up before. */
  wirePeers(peers: readonly BookPeer[]): readonly WirePeer[] | Promise<readonly WirePeer[]>
}

interface Entry {
  readonly wire: WirePeer | undefined
  readonly untilMs: number
}

/**
 * The addresses of peers, ready for the wire: looking twenty peers up in the peer store, decoding and checking them took
 * most of the time of an answer. What the peer store says anew is looked up anew.
 */
export function createAddressBook(components: AddressBookComponents): AddressBook {
  const { events, clock, book } = components
  const entries = new Map<BookPeer, Entry>()
  const onUpdate = (event: { detail: { peer: { id: PeerId } } }): void => {
    entries.delete(book.of(event.detail.peer.id.toMultihash().bytes))
  }
  const held = (peer: BookPeer, nowMs: number): Entry | undefined => {
    const entry = entries.get(peer)
    return entry !== undefined && entry.untilMs > nowMs ? entry : undefined
  }
  const load = async (peer: BookPeer): Promise<Entry> => {
    const entry = { wire: await wireOf(components, peer), untilMs: clock.monotonicMs() + ADDRESSES_FRESH_MS }
    entries.delete(peer)
    entries.set(peer, entry)
    const [oldest] = entries.keys()
    if (entries.size > ADDRESSES_CACHED_MAX && oldest !== undefined) entries.delete(oldest)
    return entry
  }
  events.addEventListener('peer:update', onUpdate)
  return {
    wirePeers: (peers) => {
      const nowMs = clock.monotonicMs()
      const known = peers.map((peer) => held(peer, nowMs))
      if (!known.includes(undefined)) return told(known)
      return Promise.all(peers.map(async (peer, index) => known[index] ?? (await load(peer)))).then(told)
    },
    [Symbol.dispose]: () => {
      events.removeEventListener('peer:update', onUpdate)
    }
  }
}

function told(entries: readonly (Entry | undefined)[]): WirePeer[] {
  const peers: WirePeer[] = []
  for (const entry of entries) if (entry?.wire !== undefined) peers.push(entry.wire)
  return peers
}

async function wireOf(
  { peerStore, mapper }: AddressBookComponents,
  peer: BookPeer
): Promise<WirePeer | undefined> {
  const { libp2pId } = peer
  if (libp2pId === undefined) return undefined
  try {
    const { multiaddrs } = mapper(await peerStore.getInfo(libp2pId))
    if (multiaddrs.length === 0) return undefined
    const wire = { id: peer.id, multiaddrs: multiaddrs.map(({ bytes }) => bytes) }
    return { ...wire, encoded: encodePeer(wire) }
  } catch {
    // the peer store has forgotten it
    return undefined
  }
}
