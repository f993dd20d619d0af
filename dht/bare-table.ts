import { CLOSEST_PEERS } from './constants.ts'
import type { DhtTable } from './dht-service.ts'
import { nearestOf, nearestPeers } from './query/peer-book.ts'
import type { BookPeer, PeerBook } from './query/peer-book.ts'
import { idText } from './query/peer-index.ts'
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
  const buckets = new Buckets(own)
  // by id: the book forgets whoever was not named for long, and makes them anew
  const peers = new Map<string, BookPeer>()
  const ownText = idText(own.id)
  const adding = new Set<(peerId: string) => void>()
  const changing = new Set<() => void>()
  const changed = (): void => {
    for (const handler of changing) handler()
  }
  const add = (peer: BookPeer): void => {
    const bucket = buckets.of(peer)
    // mostly it is full, or has them already
    if (bucket.length >= bucketMax || bucket.includes(peer)) return
    const text = idText(peer.id)
    if (text === ownText || peers.has(text)) return
    bucket.push(peer)
    peers.set(text, peer)
    for (const handler of adding) handler(peer.peerId)
    changed()
  }
  const drop = (peer: BookPeer): void => {
    const text = idText(peer.id)
    const known = peers.get(text)
    if (known === undefined) return
    const bucket = buckets.of(known)
    peers.delete(text)
    bucket.splice(bucket.indexOf(known), 1)
    changed()
  }
  const listening = <T>(handlers: Set<T>, handler: T): Disposable => {
    handlers.add(handler)
    return { [Symbol.dispose]: () => void handlers.delete(handler) }
  }
  return {
    ...{ add, drop },
    has: (peer) => peers.has(idText(peer.id)),
    nearest: (target, count, except = []) => buckets.nearest({ target, count, except }),
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

/** Peers by how long a prefix they share with `own`. */
class Buckets {
  readonly #own: BookPeer
  readonly #byShared: BookPeer[][] = []

  constructor(own: BookPeer) {
    this.#own = own
  }

  of(peer: BookPeer): BookPeer[] {
    const own = this.#own
    const difference = own.kadBits ^ peer.kadBits
    const shared = difference === 0 ? commonPrefixBits(own.kadId, peer.kadId) : Math.clz32(difference)
    return (this.#byShared[shared] ??= [])
  }

  nearest({
    target,
    count,
    except
  }: {
    readonly target: Uint8Array
    readonly count: number
    readonly except: readonly BookPeer[]
  }): BookPeer[] {
    const nearest: BookPeer[] = []
    for (const group of this.#groupsFor(target)) {
      const others = except.some((peer) => group.includes(peer))
        ? group.filter((peer) => !except.includes(peer))
        : group
      nearest.push(...nearestPeers(target, others, count - nearest.length))
      if (nearest.length >= count) break
    }
    return nearest
  }

  /** All of them in groups, each of which is nearer to a place than all that follow. */
  *#groupsFor(target: Uint8Array): Generator<readonly BookPeer[]> {
    const buckets = this.#byShared
    const shared = commonPrefixBits(this.#own.kadId, target)
    yield buckets[shared] ?? []
    // those that are nearer to us than the place is all differ from it in the same first bit
    yield buckets.slice(shared + 1).flatMap((bucket: BookPeer[] | undefined) => bucket ?? [])
    for (let before = Math.min(shared, buckets.length) - 1; before >= 0; before--) yield buckets[before] ?? []
  }
}
