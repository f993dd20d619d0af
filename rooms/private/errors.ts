import { RoomError } from '../errors.ts'

/** What goes wrong in private rooms and direct conversations. */
export type PrivateErrorCode =
  /** Bytes that are no frame, prekey or record of this protocol. */
  | 'ERR_PRIVATE_MALFORMED'
  /** From a device that is no member, whose certificate does not hold, or that is denied or revoked. */
  | 'ERR_PRIVATE_FOREIGN'
  /** Encrypted for an epoch whose keys are not kept any more, or read before. */
  | 'ERR_PRIVATE_STALE'
  /** There is no such private room or direct conversation here. */
  | 'ERR_PRIVATE_UNKNOWN'
  /** More devices, conversations or waiting frames than are kept. */
  | 'ERR_PRIVATE_FULL'
  /** No device of that person published keys for a first message. */
  | 'ERR_PRIVATE_PREKEYS'
  /** The conversation does not allow this change. */
  | 'ERR_PRIVATE_REFUSED'

/** From whom it is not to come. `what` is what was expected. */
export function foreign(what: string): RoomError {
  return new RoomError('ERR_PRIVATE_FOREIGN', `expected ${what}`)
}

/** What cannot be read any more. `what` is what was expected. */
export function stale(what: string): RoomError {
  return new RoomError('ERR_PRIVATE_STALE', `expected ${what}`)
}

/** A change that is not allowed. `what` is what was expected. */
export function refused(what: string): RoomError {
  return new RoomError('ERR_PRIVATE_REFUSED', `expected ${what}`)
}
