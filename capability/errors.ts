import { CodedError } from '#contracts'

/** Codes of {@link CapabilityError} about one token, its chain, and what it is used for. */
export type TokenErrorCode =
  // Bytes that are no token, or not the one encoding of it.
  | 'ERR_TOKEN_MALFORMED'
  // More bytes than a token can have.
  | 'ERR_TOKEN_TOO_LARGE'
  // A token of a format version this program does not know.
  | 'ERR_TOKEN_VERSION'
  // A token whose signature does not verify: it was changed, or its issuer did not sign it.
  | 'ERR_TOKEN_SIGNATURE'
  // Tokens that do not follow from each other: a link is missing, exchanged, or issued by somebody who did not hold it.
  | 'ERR_TOKEN_CHAIN'
  // A chain that was delegated too often.
  | 'ERR_TOKEN_DEPTH'
  // A chain that does not begin with a token of this device.
  | 'ERR_TOKEN_ROOT'
  // A token for somebody else.
  | 'ERR_TOKEN_AUDIENCE'
  // A token about somebody else's data.
  | 'ERR_TOKEN_SUBJECT'
  // A token for another command.
  | 'ERR_TOKEN_COMMAND'
  // A token for another resource.
  | 'ERR_TOKEN_RESOURCE'
  // A token that is not valid yet.
  | 'ERR_TOKEN_NOT_YET'
  // A token that is no longer valid.
  | 'ERR_TOKEN_EXPIRED'
  // A token from before everything was revoked.
  | 'ERR_TOKEN_EPOCH'
  // A token that was revoked, or whose ancestor was.
  | 'ERR_TOKEN_REVOKED'
  // More than the manifest's author ever asked for.
  | 'ERR_TOKEN_CEILING'
  // A token, or an ancestor of it, whose last use was taken.
  | 'ERR_TOKEN_USED_UP'
  // A token that would grant more than the one it is derived from.
  | 'ERR_TOKEN_WIDER'

/** Codes of {@link CapabilityError} about names of resources and commands. */
export type NameErrorCode =
  // Text that is no resource in its one normal form, or cannot be brought to it.
  | 'ERR_RESOURCE_INVALID'
  // Text that is no command of the form provider/verb.
  | 'ERR_COMMAND_INVALID'

/** Every code a {@link CapabilityError} can carry. */
export type CapabilityErrorCode = TokenErrorCode | NameErrorCode

/** The error of this folder: what was expected of a token, a resource or a command, and what came. */
export class CapabilityError extends CodedError<CapabilityErrorCode> {}
