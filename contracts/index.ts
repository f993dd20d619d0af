/**
 * The words every other folder shares and no behaviour of its own: coded errors, and the seams through which
 * time, randomness and logging enter.
 *
 * @example
 * ```ts
 * import { CodedError } from '#contracts'
 *
 * export class TokenError extends CodedError<'ERR_TOKEN_EXPIRED'> {}
 * throw new TokenError('ERR_TOKEN_EXPIRED', 'token expired at 1790000000000')
 * ```
 *
 * @packageDocumentation
 */
export { CodedError, errorCode, errorDetail, errorMessage, unlessMissing } from './errors.ts'
export type { CodedErrorOptions } from './errors.ts'
export type { Clock } from './clock.ts'
export { parseDuration } from './duration.ts'
export type { Random } from './random.ts'
export { GUARD_DESCRIPTOR, guardedProgram } from './guarded-program.ts'
export { orAborted } from './abort.ts'
export { createTurns } from './turns.ts'
export type { Turns } from './turns.ts'
export { createRate } from './rate.ts'
export type { RateInit } from './rate.ts'
export { createRecent } from './recent.ts'
export type { Recent } from './recent.ts'
export { silentLogger } from './logger.ts'
export type { Logger, LogFields } from './logger.ts'
export { systemClock, systemRandom } from './powers.ts'
export { JsonLinesError, createJsonLinesDecoder, encodeJsonLine } from './json-lines.ts'
export type { JsonLinesDecoder } from './json-lines.ts'
export { CONTROL_LIMITS, CONTROL_VERSION } from './control.ts'
export type {
  CapsuleChangeStatus,
  CapsuleLogLine,
  CapsulePlanStatus,
  CapsuleStatus,
  CapsuleVersionStatus,
  CeilingStatus,
  InstalledStatus,
  LogEvent,
  ProviderStatus,
  QuestionAnswer,
  QuestionEndEvent,
  QuestionEvent,
  QuestionMissedEvent,
  QuestionStatus,
  RunEvent,
  RunningStatus,
  TerminalEvent,
  TypingEvent,
  ToolAnswer,
  ToolServerParams,
  ToolStatus
} from './control-capsules.ts'
export type { GuestControlMethods, GuestStatus } from './control-guests.ts'
export type {
  AddStatus,
  ContactStatus,
  DeviceAddStatus,
  DeviceStatus,
  ControlEvent,
  ControlInput,
  ControlLimits,
  ControlMethod,
  ControlMethods,
  ControlParams,
  ControlReach,
  ControlResult,
  EntryStatus,
  NodeStatus,
  NoticeEvent,
  OutputEvent,
  PeerStatus,
  PinStatus,
  ModerationAction,
  PrivateRoomStatus,
  RoomModerationStatus,
  RoomControlEvent,
  RowsEvent,
  TrafficStatus,
  TransferProgress
} from './control.ts'
export type {
  ConfidenceStatus,
  DhtControlMethods,
  NameEvent,
  NameStatus,
  ProvideNetworkStatus,
  ProviderPeerStatus
} from './control-dht.ts'
export type {
  ReplicaChallengeStatus,
  ReplicaControlMethods,
  ReplicaCopyStatus,
  ReplicaGroupStatus,
  ReplicaQuotaStatus,
  ReplicaRootStatus
} from './control-replicas.ts'
export type {
  AuditEntryStatus,
  AuditEvent,
  AuditProblemStatus,
  AuditReportStatus,
  DenialStatus,
  GrantControlMethods,
  GrantStatus,
  ReplayReportStatus,
  WhyStatus
} from './control-grants.ts'
export { controlSocketPath, defaultDataFolder } from './paths.ts'
export type { PathFacts } from './paths.ts'
export { CAPSULE_CHANNEL_ERROR, CAPSULE_CHANNEL_LIMITS, CAPSULE_CHANNEL_VERSION } from './capsule-channel.ts'
export type {
  CallerIdentity,
  CapsuleChannelCode,
  CapsuleChannelLimits,
  CapsuleFailure,
  CapsuleMethods,
  CapsuleNotification,
  CapsuleNotifications,
  CapsuleRequest,
  CapsuleRequestId,
  CapsuleResult,
  CommandName,
  ContractReference,
  HeldCapability,
  HostNotifications,
  PickKind,
  ProvideMethods,
  ProvideParams,
  ServingReference,
  StreamNotifications,
  TerminalSize,
  TerminalStatus
} from './capsule-channel.ts'
