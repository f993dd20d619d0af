import type { Did } from '#did'

/**
 * A capability: who (issuer) lets whom (audience) do what (command) to what (resource) of whose data (subject), and
 * within which bounds. Immutable; made by {@link issueToken} and {@link decodeToken} only, and nothing else passes
 * verification, whatever its fields say.
 *
 * @see docs/protocols/capability-token.md
 */
export interface Token {
  /** CIDv1 (dag-cbor, sha2-256, base32) of {@link bytes}. */
  readonly cid: string
  /** A copy of the one encoding. */
  readonly bytes: Uint8Array
  readonly issuer: Did
  readonly audience: Did
  /** Whose data it is about; the audience's own where nothing else was said. */
  readonly subject: Did
  /** A command or a pattern of commands. */
  readonly command: string
  /** A resource or a pattern of resources. */
  readonly resource: string
  /** First moment it is valid, milliseconds since the Unix epoch; always when absent. */
  readonly notBeforeMs?: number
  /** First moment it is not valid any more; null for never. */
  readonly expiresAtMs: number | null
  /** A copy of the random bytes that make it unlike every other. */
  readonly nonce: Uint8Array
  /** The epoch of the verifying device it was issued in. */
  readonly epoch: number
  /** How often it may be used; unbounded when absent. Counted by the verifier, not here. */
  readonly usesMax?: number
  /** CID of the token it was derived from; absent in a root. */
  readonly proof?: string
}

/** What a new token says, besides who issues it. */
export interface TokenFields {
  readonly audience: Did
  /** The subject of `parent`, else the audience, when absent. */
  readonly subject?: Did
  /** A command or a pattern; brought to its normal form. */
  readonly command: string
  /** A resource or a pattern; brought to its normal form. */
  readonly resource: string
  /** That of `parent` when absent. */
  readonly notBeforeMs?: number
  /** null for never. */
  readonly expiresAtMs: number | null
  /** The verifying device's epoch; that of `parent` when there is one. */
  readonly epoch: number
  /** That of `parent` when absent. */
  readonly usesMax?: number
  /** The token it is derived from: its audience issues, and nothing may be wider. */
  readonly parent?: Token
}
