/**
 * Who keeps what, so that content stays when a laptop closes: goals, offers, leases, placement and repair. Everything that
 * reaches others, the disk or the time is handed in. Formats: `docs/protocols/replication.md`.
 *
 * @example
 * ```ts
 * import { systemRandom } from '#contracts'
 * import { createKeyPair } from '#did'
 * import { place } from '#replication'
 *
 * const offers = Array.from({ length: 9 }, (_, index) => ({
 *   holder: createKeyPair(systemRandom).did,
 *   person: createKeyPair(systemRandom).did,
 *   spaceBytes: 20 * 2 ** 30,
 *   freeBytes: 20 * 2 ** 30,
 *   host: `host ${index}`,
 *   network: ''
 * }))
 * const root = 'bafkreifzjut3te7nhyekklss27nh3k72ysco7y32koao5eei66wof36n5e'
 * for (const { holder } of place({ root, bytes: 1024, copies: 5, offers })) console.log(holder)
 * ```
 *
 * @packageDocumentation
 */
export { dutyOrder, place, placementOrder } from './placement.ts'
export type { PlacementInit, PlacementOffer } from './placement.ts'
export { scoreOf, seedOf, unitOf } from './rendezvous.ts'
export type { Seed } from './rendezvous.ts'
export { ANYONE } from './types.ts'
export type {
  Goal,
  Lease,
  Offer,
  PoolId,
  ReplicaAccess,
  ReplicaContent,
  ReplicaHandler,
  ReplicaNetwork,
  ReplicaSize,
  ReplicaStore,
  ReplicationComponents,
  Root
} from './types.ts'
export { startReplication } from './start-replication.ts'
export type {
  GoalInit,
  GroupStatus,
  OfferInit,
  QuotaStatus,
  RepairReport,
  ReplicaCopy,
  ReplicaStatus,
  Replication,
  ReplicationInit
} from './replication.ts'
export type { ChallengeResult, ReplicationLimits } from './core.ts'
export type { OfferChoice } from './state.ts'
export type { Group } from './groups.ts'
export { ReplicationError } from './errors.ts'
export type { ReplicationErrorCode } from './errors.ts'
export {
  COPIES_MAX,
  FETCHES_WAITING_MAX,
  FOLLOWED_COPIES,
  GOALS_MAX,
  HELD_MAX,
  PUBLISHED_COPIES,
  REPLICA_PROTOCOL
} from './constants.ts'
