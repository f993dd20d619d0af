/**
 * Our bitswap: blocks fetched from, and served to, any IPFS peer, with a policy per peer and bounded memory.
 * The wire format is described in `docs/protocols/bitswap.md`.
 *
 * @packageDocumentation
 */
export { startBitswap } from './start-bitswap.ts'
export type { Bitswap, BitswapComponents, BitswapInit, BitswapLibp2p, BitswapStats } from './start-bitswap.ts'
export type { BitswapLimits } from './limits.ts'
export type { Misbehaviour, MisbehaviourReason } from './conduct.ts'
export type { BlockSource } from './server.ts'
export type { Provider } from './peer-search.ts'
