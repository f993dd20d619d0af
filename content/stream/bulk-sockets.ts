import type { Connection } from '@libp2p/interface'
import type { Pipe } from './pipe.ts'

/** The libp2p connection beside which a socket is opened. */
export type BulkConnection = Pick<Connection, 'remoteAddr' | 'remotePeer' | 'direction' | 'limits'>

/**
 * Sockets for bulk beside the libp2p connection to a peer: what `content` needs of the network, declared here by the
 * consumer.
 *
 * Invariant: a pipe is handed over only after either side has proven to hold the certificate that the other named
 * over the authenticated connection, and a token made for that very peer was spent.
 */
export interface BulkSockets {
  /** SHA-256 of our certificate. */
  readonly fingerprint: Uint8Array
  /** What we can do so that a second socket comes about: only who dialled the connection knows where to dial. */
  sideOf(connection: BulkConnection): 'dial' | 'accept' | undefined
  /** Expects one socket from that peer, until `signal` aborts. */
  expect(init: {
    connection: BulkConnection
    /** SHA-256 of the certificate that it will show. */
    fingerprint: Uint8Array
    signal: AbortSignal
  }): { readonly token: Uint8Array; readonly pipe: Promise<Pipe> }
  /** Opens a socket to where the connection leads. @throws when it cannot, or the peer is not the one it should be */
  dial(init: {
    connection: BulkConnection
    fingerprint: Uint8Array
    token: Uint8Array
    signal: AbortSignal
  }): Promise<Pipe>
}
