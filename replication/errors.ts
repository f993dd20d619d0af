import { CodedError } from '#contracts'

/** The codes of {@link ReplicationError}. */
export type ReplicationErrorCode =
  /** A signed record of replication is malformed, too large, out of its time, or not signed by whom it should be. */
  | 'ERR_REPLICA_RECORD_INVALID'
  /** A message of another device breaks the protocol. */
  | 'ERR_REPLICA_MESSAGE_INVALID'
  /** A goal asks for more copies than there may be, or for something that is not a root. */
  | 'ERR_REPLICA_GOAL_INVALID'
  /** A goal is set for something that is not here whole. */
  | 'ERR_REPLICA_NOT_HERE'
  /** Nothing is known of replicas of that root. */
  | 'ERR_REPLICA_UNKNOWN'
  /** A space, a share of a publisher or a label is not what it may be. */
  | 'ERR_REPLICA_OFFER_INVALID'
  /** A group has no valid name or too many members. */
  | 'ERR_GROUP_INVALID'
  /** Nobody who was reached knows that group. */
  | 'ERR_GROUP_UNKNOWN'
  /** The person of this device is not on the list of the group. */
  | 'ERR_GROUP_NOT_MEMBER'
  /** More people are followed, groups joined, goals set or roots held than may be. */
  | 'ERR_REPLICA_LIMIT'
  /** A device did not answer in time. */
  | 'ERR_REPLICA_TIMEOUT'

/** What goes wrong with replicas. */
export class ReplicationError extends CodedError<ReplicationErrorCode> {}
