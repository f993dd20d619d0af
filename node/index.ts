/**
 * A node, composed: the one place that constructs the parts and joins them, and the control server through which
 * commands use them.
 *
 * @example
 * ```ts
 * import { startNode } from '#node'
 *
 * await using node = await startNode({ dataFolder: './data', reach: 'local' })
 * console.log(node.status().did, node.status().addresses)
 * ```
 *
 * @packageDocumentation
 */
export { startNode } from './start-node.ts'
export { NodeError } from './errors.ts'
export type { NodeCode } from './errors.ts'
export type { ElastosNode, NodeInit, NodePowers, SeedInit } from './types.ts'
export { startPairing } from './devices/pairing.ts'
export type { Pairing, PairingComponents, PairingInit } from './devices/pairing.ts'
export type { AddedDevice, Devices, OwnDevice, RevokedOwnDevice } from './devices/devices.ts'
