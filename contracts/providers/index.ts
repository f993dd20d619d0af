/**
 * What providers do, as data: commands, their parameters and answers, and the resource each acts on. The host checks
 * with it; an SDK takes the types.
 *
 * @example
 * ```ts
 * import { requestedAccess } from '#providers'
 *
 * const { command, resource } = requestedAccess('localhost/read', { path: 'notes/a.txt' })
 * ```
 *
 * @packageDocumentation
 */
export type { AnyCommand, CallCommand, ProviderContract, StreamCommand } from './contract.ts'
export { DATA_BYTES_MAX, ENTRIES_MAX } from './fields.ts'
export type { Nothing } from './fields.ts'
export * from './localhost.ts'
export * from './did.ts'
export * from './peer.ts'
export * from './content.ts'
export * from './http.ts'
export * from './shell.ts'
export { CONTRACTS, contractReference, findCommand, isHostOnlyCommand, requestedAccess } from './registry.ts'
export type { FoundCommand, RequestedAccess } from './registry.ts'
