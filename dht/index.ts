/**
 * The network side of a node: the libp2p host, our Kademlia DHT, pubsub, names and the publisher index.
 *
 * @example
 * ```ts
 * import { MemoryDatastore } from 'datastore-core'
 * import { silentLogger, systemClock, systemRandom } from '#contracts'
 * import { startHost } from '#dht'
 * import { createKeyPair } from '#did'
 *
 * await using host = await startHost(
 *   {
 *     keyPair: createKeyPair(systemRandom),
 *     datastore: new MemoryDatastore(),
 *     clock: systemClock,
 *     random: systemRandom,
 *     logger: silentLogger
 *   },
 *   { reach: 'local', bootstrapPeers: [] }
 * )
 * console.log(host.did, host.addresses())
 * ```
 *
 * @packageDocumentation
 */
export { DhtError } from './errors.ts'
export type { DhtErrorCode } from './errors.ts'
export { DEFAULT_PORT, DHT_PROTOCOL, PROVIDER_VALIDITY_MS, RECORD_BYTES_MAX } from './constants.ts'
export { startHost } from './host.ts'
export type { Host, NetworkProvideStatus, Reachability } from './host.ts'
export type { HostComponents, HostInit } from './host-init.ts'
export type { HostServices, Role, TransportFactory } from './libp2p-options.ts'
export type { ListenInit, PortFallback } from './listening.ts'
export type { ConnectTarget } from './connector.ts'
export type { HostMetrics, PeerEvent, PeerSummary } from './observation.ts'
export type { HostPowers } from './powers.ts'
export { addressKind, adviseReach, mayAccept, mayAnnounce, mayDial, mayRoute, planListen } from './reach.ts'
export type {
  AddressKind,
  InterfaceAddress,
  ListenPlanInit,
  Reach,
  ReachAdvice,
  ReachFacts
} from './reach.ts'
export type {
  FoundProvider,
  ProvideOptions,
  ProvideOutcome,
  Routing,
  RoutingOptions,
  SearchOptions
} from './routing.ts'
export type { PublishOptions, Pubsub, TopicHandler, TopicMessage, TopicVerdict } from './pubsub.ts'
export { createBulkSockets, divertedTcp } from './bulk/index.ts'
export type { BulkSockets } from './bulk/index.ts'
export { startRehearsalNetwork } from './rehearsal-network.ts'
export type { RehearsalNetwork, RehearsalNetworkComponents } from './rehearsal-network.ts'
export type {
  Exchange,
  ExchangeHandler,
  ExchangeRequest,
  ExchangeRequestOptions,
  ExchangeServeOptions
} from './exchange.ts'
export {
  compareNameRecords,
  isNewer,
  nameKey,
  openNameRecord,
  parseName,
  sealNameRecord
} from './name-record.ts'
export type { NameRecord, NameRecordInit } from './name-record.ts'
export { createRecordRules } from './name-rules.ts'
export type { RecordRules } from './name-rules.ts'
export { kadNameRouting } from './name-routing.ts'
export type { NameAnswer, NameRouting, NameRoutingComponents } from './name-routing.ts'
export { startNames } from './names.ts'
export type { Names, PublishedName, PublishNameOptions, ResolvedName } from './names.ts'
export type { NamesComponents, ResolveNameOptions } from './name-core.ts'
export type { Confidence, Doubt } from './confidence.ts'
export type { FoundPeer, Inspection } from './inspection.ts'
export type { SweepPass } from './provide/sweep-state.ts'
export { createDnsLinks, isDomain } from './dns-link.ts'
export type { DnsLink, DnsLinks, ResolveTxt } from './dns-link.ts'
export type { IpfsHostInit } from './networks.ts'
export { IPFS_BOOTSTRAP_PEERS, IPFS_LAN_PROTOCOL, IPFS_WAN_PROTOCOL } from './ipfs-constants.ts'
export type { IpfsMode } from './ipfs.ts'
export { combineRouting } from './combined-routing.ts'
export { discoveryCid } from './ipfs-discovery.ts'
export { createPublisherIndex } from './publisher-index.ts'
export type {
  FoundHead,
  IndexBlocks,
  PublishedHead,
  PublisherIndex,
  PublisherIndexComponents,
  PublishHeadOptions
} from './publisher-index.ts'
export { checkEntryName } from './index-block.ts'
export type { IndexEntryName } from './index-block.ts'
export { startBareDht } from './bare-dht.ts'
export type { BareDht, BareDhtComponents, BareDhtInit, BareNetwork } from './bare-dht.ts'
export type { BareRecords } from './bare-records.ts'
export type { BareTable } from './bare-table.ts'
export { createPeerBook, nearestOf } from './query/peer-book.ts'
export type { BookPeer, PeerBook } from './query/peer-book.ts'
export type { DhtPeer, QueryEngine } from './query/index.ts'
