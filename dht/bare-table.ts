import { CLOSEST_PEERS } from './constants.ts'
import type { DhtTable } from './dht-service.ts'
import { idText, nearestOf, nearestPeers } from './query/peer-book.ts'
import type { BookPeer, PeerBook } from './query/peer-book.ts'
import { commonPrefixBits } from './table-refresh.ts'

/** A routing table that stands by itself. */
export interface BareTable extends Omit<DhtTable, 'protocol'> {
  nearest(target: Uint8Array, count: number, except?: readonly BookPeer[]): BookPeer[]
  has(peer: BookPeer): boolean
  /** Puts a peer in when its bucket has room. */
  add(peer: BookPeer): void
  drop(peer: BookPeer): void
}

/** A table of buckets, one for each length of the prefix shared with `own`. Who is in a bucket stays until dropped. */
export function createBareTable(own: BookPeer, book: PeerBook, bucketMax: number = CLOSEST_PEERS): BareTable {
  const buckets = new Map<number, number>()
  // by id: the book forgets whoever was not named for long, and makes them anew
  const peers = new Map<string, BookPeer>()
  /** The same ones, made anew after somebody came or went. */
  let list: readonly BookPeer[] | undefined
  const ownText = idText(own.id)
  const adding = new Set<(peerId: string) => void>()
  const changing = new Set<() => void>()
  const changed = (): void => {
    list = undefined
    for (const handler of changing) handler()
  }
  const bucketOf = (peer: BookPeer): number => {
    const difference = own.kadBits ^ peer.kadBits
    return difference === 0 ? commonPrefixBits(own.kadId, peer.kadId) : Math.clz32(difference)
  }
  const add = (peer: BookPeer): void => {
    const bucket = bucketOf(peer)
    const held = buckets.get(bucket) ?? 0
    // mostly it is full, or has them already
    if (held >= bucketMax) return
    const text = idText(peer.id)
    if (text === ownText || peers.has(text)) return
    buckets.set(bucket, held + 1)
    peers.set(text, peer)
    for (const handler of adding) handler(peer.peerId)
    changed()
  }
  const drop = (peer: BookPeer): void => {
    if (!peers.delete(idText(peer.id))) return
    buckets.set(bucketOf(peer), (buckets.get(bucketOf(peer)) ?? 1) - 1)
    changed()
  }
  const listening = <T>(handlers: Set<T>, handler: T): Disposable => {
    handlers.add(handler)
    return { [Symbol.dispose]: () => void handlers.delete(handler) }
  }
  return {
    ...{ add, drop },
    has: (peer) => peers.has(idText(peer.id)),
    nearest: (target, count, except = []) =>
      nearestPeers(target, (list ??= [...peers.values()]), count + except.length)
        .filter((peer) => !except.includes(peer))
        .slice(0, count),
    size: () => peers.size,
    kadIds: () => Array.from(peers.values(), ({ kadId }) => kadId),
    ownKadId: () => own.kadId,
    peerIds: () => Array.from(peers.values(), ({ peerId }) => peerId),
    ids: () => peers.values().map(({ id }) => id),
    closest: (kadId, count) => nearestOf(kadId, peers.values(), count).map(({ peerId }) => peerId),
    offer: (peerId) => {
      add(book.ofText(peerId))
    },
    remove: (peerId) => {
      drop(book.ofText(peerId))
    },
    onAdd: (handler) => listening(adding, handler),
    onChange: (handler) => listening(changing, handler)
  }
}
