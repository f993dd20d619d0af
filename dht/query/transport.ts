import type { KadMessage } from './messages.ts'
import type { BookPeer } from './peer-book.ts'

/** How queries reach peers: a pool of streams, or a simulated network. */
export interface QueryTransport {
  /** Sends a request and resolves with its answer. @throws when there is none, or the reason of `signal` */
  request(peer: BookPeer, message: KadMessage, signal: AbortSignal): Promise<KadMessage>
  /** Sends messages that are not answered and resolves when the peer has dealt with them. @throws as `request` */
  tell(peer: BookPeer, messages: readonly KadMessage[], signal: AbortSignal): Promise<void>
  /** Whether asking the peer costs no dial. */
  isConnected(peer: BookPeer): boolean
}

/** The routing table as queries use it. */
export interface QueryTable {
  /** The peers in it nearest to a place, nearest first. */
  nearest(target: Uint8Array, count: number): BookPeer[]
  /** Suggests a peer that answered. */
  offer(peer: BookPeer): void
}
