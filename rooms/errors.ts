import { CodedError } from '#contracts'
import type { PrivateErrorCode } from './private/errors.ts'

/** Why a caller's request was refused. */
export type RoomRefusalCode =
  /** The name of a room is empty, too long or has characters that names may not have. */
  | 'ERR_ROOM_NAME_INVALID'
  /** A nick is empty, too long or has characters that names may not have. */
  | 'ERR_NICK_INVALID'
  /** A text has more bytes than a message may carry. */
  | 'ERR_TEXT_TOO_LONG'
  /** A text is empty, not well-formed Unicode, or has control characters: it is binary or a terminal escape. */
  | 'ERR_TEXT_INVALID'
  /** More messages wait for somebody to receive them than are kept. */
  | 'ERR_ROOM_BUSY'
  /** The room was used after it was left. */
  | 'ERR_ROOM_CLOSED'
  /** This node is in that room already. */
  | 'ERR_ROOM_JOINED'
  /** Whoever asks has not joined that room. */
  | 'ERR_ROOM_NOT_JOINED'
  /** Words for one person, where there are none but for the whole room. */
  | 'ERR_DIRECT_NONE'
  /** Whoever asks for what a mailbox of a device has is not that device. */
  | 'ERR_MAILBOX_FOREIGN'
  /** A list of a moderator, or the people whose lists are followed, would have more entries than may be; or no place or number is left for a list. */
  | 'ERR_MODERATION_FULL'
  /** A peer did not answer in time. */
  | 'ERR_ROOM_TIMEOUT'

/** Why a message or an answer from the network was dropped; the counters of a room have one entry each. */
export type RoomDropCode =
  /** More bytes than the protocol allows; nothing was parsed. */
  | 'ERR_MESSAGE_TOO_LARGE'
  /** Not an envelope of this protocol, or a payload that breaks its schema. */
  | 'ERR_MESSAGE_MALFORMED'
  /** The signature does not verify. */
  | 'ERR_MESSAGE_SIGNATURE'
  /** No valid certificate binds the signing device to the author that the message names. */
  | 'ERR_MESSAGE_CERTIFICATE'
  /** Signed for another room. */
  | 'ERR_MESSAGE_ROOM'
  /** The device signed that sequence number before, or one too far back to tell. */
  | 'ERR_MESSAGE_REPLAYED'
  /** The time in the message is too far from ours. */
  | 'ERR_MESSAGE_TIME'
  /** The author, or the peer that relays, sends more than is taken. */
  | 'ERR_MESSAGE_RATE'
  /** The author or device is on the deny list. */
  | 'ERR_MESSAGE_DENIED'
  /** The person has revoked the device that signed. */
  | 'ERR_MESSAGE_REVOKED'
  /** So many devices spoke within the time tolerance that a further one could not be told from a replay. */
  | 'ERR_ROOM_CROWDED'

/** The codes of {@link RoomError}. */
export type RoomErrorCode = RoomRefusalCode | RoomDropCode | PrivateErrorCode

/** What goes wrong in a room: a refused request of the user, or a dropped message of somebody else. */
export class RoomError extends CodedError<RoomErrorCode> {}
