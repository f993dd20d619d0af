/**
 * First contact: how a node finds its first peers, what a seed serves to those who look for them, and what this node
 * will have nothing to do with.
 *
 * @example
 * ```ts
 * import { systemClock } from '#contracts'
 * import { fetchBootstrapRecord, planBootstrap, systemBootstrapPowers } from '#bootstrap'
 *
 * const plan = planBootstrap(process.argv.slice(2))
 * for (const seed of plan.seeds) {
 *   const components = { powers: systemBootstrapPowers, clock: systemClock }
 *   const record = await fetchBootstrapRecord(components, seed, { network: '/elastos/kad/1.0.0' })
 *   console.log(record.did, record.addresses)
 * }
 * ```
 *
 * @packageDocumentation
 */
export { BootstrapError } from './errors.ts'
export type {
  BootstrapErrorCode,
  BootstrapValueErrorCode,
  DenyErrorCode,
  RecordErrorCode,
  SeedErrorCode,
  SeedServerErrorCode
} from './errors.ts'
export {
  BOOTSTRAP_VALUE_CHARS_MAX,
  BOOTSTRAP_VALUES_MAX,
  HTTP_ADDRESS_LIMITS,
  PEER_ADDRESS_LIMITS,
  SEED_HTTP_PORT,
  SEED_METRICS_PORT
} from './constants.ts'
export type { AddressLimits, HttpLimits } from './constants.ts'
export { planBootstrap } from './value.ts'
export type { BootstrapPlan, SeedTarget } from './value.ts'
export { findFirstPeers } from './first-peers.ts'
export type { FindFirstPeersInit, FirstPeers, FirstPeersComponents, SeedFailure } from './first-peers.ts'
export { fetchBootstrapRecord } from './seed-client.ts'
export type { FetchRecordInit, SeedClientComponents } from './seed-client.ts'
export { openKnownSeeds } from './known-seeds.ts'
export type { KnownSeeds } from './known-seeds.ts'
export { openBootstrapRecord, sealBootstrapRecord } from './record.ts'
export type { BootstrapClaim, BootstrapRecord, RecordContext } from './record.ts'
export { openDenyList } from './deny-list.ts'
export type { DenyEntry, DenyList } from './deny-list.ts'
export type { PrivateJsonComponents } from './private-json.ts'
export { startSeedServer } from './seed-server.ts'
export type { SeedServer, SeedServerComponents, SeedServerInit } from './seed-server.ts'
export { assertSeedReach } from './seed-policy.ts'
export { createAddressLimiter } from './address-limiter.ts'
export type { AddressLimiter } from './address-limiter.ts'
export { createMetrics } from './metrics.ts'
export type { Counter, MetricInit, MetricLabels, Metrics } from './metrics.ts'
export type {
  BootstrapPowers,
  HttpAnswer,
  HttpGetInit,
  HttpGot,
  HttpListener,
  HttpListenInit,
  HttpRequest
} from './http.ts'
export { systemBootstrapPowers } from './powers.ts'
