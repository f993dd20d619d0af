/**
 * DAGs as streams between our nodes: one ask, then blocks depth first, each verified as it comes, over libp2p or a
 * socket of their own. Format: `docs/protocols/dag-stream.md`.
 *
 * @packageDocumentation
 */
export { startDagStreams } from './start-dag-streams.ts'
export { rehearsedStreams } from './rehearsed-streams.ts'
export type { RehearsalNetwork } from './rehearsed-streams.ts'
export type { DagStreamComponents, DagStreamInit, DagStreams } from './start-dag-streams.ts'
export type { BulkConnection, BulkSockets } from './bulk-sockets.ts'
export type { DagFetch } from './dag-fetch.ts'
export type { AskedPart } from './source.ts'
export type { Pipe } from './pipe.ts'
export type { ServingGrant } from './served-channel.ts'
