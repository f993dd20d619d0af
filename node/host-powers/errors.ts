import { CodedError } from '#contracts'

/** Why a power refuses; a capsule learns those that the contract lists. */
export type PowerErrorCode =
  /** The did is none of the user's own. */
  | 'ERR_PERSONA_UNKNOWN'
  /** The key is behind a passphrase, or not on this device. */
  | 'ERR_KEY_LOCKED'
  /** A name or address that is not one of the public internet. */
  | 'ERR_HTTP_ADDRESS'
  /** Nobody answered there. */
  | 'ERR_HTTP_UNREACHABLE'
  /** The answer is larger than its caller takes. */
  | 'ERR_HTTP_TOO_LARGE'
  /** The answer did not come in time. */
  | 'ERR_HTTP_TIME_LIMIT'
  /** The answer, or a header of the request, is none that may pass. */
  | 'ERR_HTTP_ANSWER'
  /** Too many requests are under way. */
  | 'ERR_HTTP_BUSY'
  /** No file or folder of that content. */
  | 'ERR_PATH_NOT_FOUND'
  /** More than a capsule may read or add this way. */
  | 'ERR_CONTENT_TOO_LARGE'
  /** The content did not come in time. */
  | 'ERR_CONTENT_TIME_LIMIT'

/** The error of the powers that a node lends to provider capsules. */
export class PowerError extends CodedError<PowerErrorCode> {}

/** The host asks powers for the commands of their contract only; anything else is a fault of ours. */
export function unknownCommand(command: string): Error {
  return new Error(`expected a command of the power's contract, got ${command}`)
}
