/**
 * Limits of what travels between this node and its peers, over every protocol that carries content: bytes under way,
 * requests, and the bandwidth its owner allows, shared fairly between peers.
 *
 * @packageDocumentation
 */
export { createFlow } from './flow.ts'
export type { Flow, FlowInit, FlowStatus } from './flow.ts'
export type { FlowChannel } from './channel.ts'
export type { FlowLimits, Rates } from './limits.ts'
