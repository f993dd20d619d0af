/**
 * Sockets for bulk beside libp2p's connections: TLS 1.3 on the same port, each side pinned to the certificate that
 * the other named over the authenticated connection. Format: `docs/protocols/dag-stream.md`.
 *
 * @packageDocumentation
 */
export { divertedTcp } from './diverted-tcp.ts'
export { createBulkSockets } from './sockets.ts'
export type { BulkSockets } from './sockets.ts'
