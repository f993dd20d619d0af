/**
 * Our bitswap: blocks fetched from, and served to, any IPFS peer, with a policy per peer and bounded memory.
 * The wire format is described in `docs/protocols/bitswap.md`.
 *
 * @packageDocumentation
 */
export { startBitswap } from './start-bitswap.ts'
export type { Bitswap, BitswapComponents, BitswapInit, BitswapLibp2p, BitswapStats } from './start-bitswap.ts'
export { DEFAULT_BITSWAP_LIMITS } from './limits.ts'
export type { BitswapLimits } from './limits.ts'
export type { Misbehaviour, MisbehaviourReason } from './conduct.ts'
export type { ClientStats } from './client.ts'
export type { BlockSource, ServerStats } from './server.ts'
export type { Provider } from './peer-search.ts'
