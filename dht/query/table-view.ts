import { nearestPeers } from './peer-book.ts'
import type { BookPeer, PeerBook } from './peer-book.ts'
import { idText } from './peer-index.ts'

/** The routing table of a kad-dht as this folder reads it. */
export interface TableSource {
  /** How many peers are in it. */
  size(): number
  /** The multihashes of the peers in it. */
  ids(): Iterable<Uint8Array>
  /** Suggests a peer for it. */
  offer(peerId: string): void
  /** Takes a peer out of it. */
  remove(peerId: string): void
  /** Calls `handler` whenever a peer enters or leaves, until disposed. */
  onChange(handler: () => void): Disposable
}

/** A routing table that can be asked for neighbours at the price of a scan of plain memory. */
export interface TableView extends Disposable {
  nearest(target: Uint8Array, count: number, except?: readonly BookPeer[]): BookPeer[]
  has(peer: BookPeer): boolean
  offer(peer: BookPeer): void
  remove(peer: BookPeer): void
}

/** A view of a routing table. kad-dht's own search of it makes text of bits and an object of each peer, each time. */
export function createTableView(table: TableSource, book: PeerBook): TableView {
  // by id: the book forgets whoever was not named for long, and makes them anew
  let peers = new Map<string, BookPeer>()
  let row: readonly BookPeer[] = []
  let isStale = true
  const changes = table.onChange(() => {
    isStale = true
  })
  const current = (): ReadonlyMap<string, BookPeer> => {
    // a peer is in the table a moment before the table says so
    if (isStale || peers.size !== table.size()) {
      peers = new Map([...table.ids()].map((id) => [idText(id), book.of(id)]))
      row = [...peers.values()]
      isStale = false
    }
    return peers
  }
  return {
    nearest: (target, count, except = []) => {
      current()
      return nearestPeers(target, row, count + except.length)
        .filter((peer) => !except.includes(peer))
        .slice(0, count)
    },
    has: (peer) => current().has(idText(peer.id)),
    offer: (peer) => {
      if (!current().has(idText(peer.id))) table.offer(peer.peerId)
    },
    remove: (peer) => {
      table.remove(peer.peerId)
    },
    [Symbol.dispose]: () => {
      changes[Symbol.dispose]()
    }
  }
}
