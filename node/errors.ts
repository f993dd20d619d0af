import { CodedError } from '#contracts'

/** What the composed node refuses by itself; the codes of its parts pass through it unchanged. */
export type NodeCode =
  /** What was asked for does not fit one answer. */
  | 'ERR_ANSWER_TOO_LARGE'
  | 'ERR_CALLER_GONE'
  | 'ERR_CANCELLED'
  | 'ERR_CONTROL_VERSION'
  | 'ERR_CONTROL_BUSY'
  | 'ERR_CONTROL_MESSAGE'
  | 'ERR_METHOD_UNKNOWN'
  | 'ERR_NODE_RUNNING'
  | 'ERR_STORE_CORRUPT'
  | 'ERR_STORE_UNUSABLE'
  | 'ERR_DATA_FOLDER'
  | 'ERR_DISK_FULL'
  | 'ERR_CONFIG_INVALID'
  | 'ERR_CONTACT_INVALID'
  | 'ERR_CONTACT_UNKNOWN'
  | 'ERR_TARGET_INVALID'
  | 'ERR_UNSIGNED_REFUSED'
  | 'ERR_PUBLISHER_DENIED'
  | 'ERR_PUBLISHER_KEY_MISSING'
  | 'ERR_DEADLINE'

/** An error of the composed node. */
export class NodeError extends CodedError<NodeCode> {}
