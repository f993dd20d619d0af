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
  /** A capsule does not provide the contract it was chosen for. */
  | 'ERR_PROVIDER_CONTRACT'
  /** A capsule needs powers of the host that its user did not give it. */
  | 'ERR_PROVIDER_POWERS'
  | 'ERR_PUBLISHER_DENIED'
  | 'ERR_PUBLISHER_KEY_MISSING'
  | 'ERR_DEADLINE'
  /** Text that is no pairing code or certificate, or not the whole of one. */
  | 'ERR_PAIRING_CODE'
  /** A device that was revoked: it never comes back with the same key. */
  | 'ERR_DEVICE_REVOKED'
  /** No device of that name or did is on the owner's list. */
  | 'ERR_DEVICE_UNKNOWN'
  /** A device cannot revoke itself. */
  | 'ERR_DEVICE_SELF'
  /** One person has as many devices, or revoked devices, as a list holds. */
  | 'ERR_DEVICES_FULL'

/** An error of the composed node. */
export class NodeError extends CodedError<NodeCode> {}
