/**
 * The runtime channel of a capsule, descriptor 3: JSON-RPC 2.0, a message a line, no batches, both ways. See
 * docs/protocols/capsule-channel.md.
 */

/** Limits of the runtime channel. */
export interface CapsuleChannelLimits {
  /** A line, both ways, its newline not counted. */
  readonly lineBytesMax: number
  /** Characters of a request's id, when it is text. */
  readonly idLengthMax: number
}

/** The limits both sides keep. */
export const CAPSULE_CHANNEL_LIMITS: CapsuleChannelLimits = { lineBytesMax: 64 * 1024, idLengthMax: 128 }

/** Version of the channel's messages. */
export const CAPSULE_CHANNEL_VERSION = 1

/** A request's id. Fractions and null are refused. */
export type CapsuleRequestId = string | number

/** What a capsule asks of the runtime. */
export interface CapsuleRequest {
  readonly jsonrpc: '2.0'
  readonly id: CapsuleRequestId
  readonly method: string
  readonly params?: unknown
}

/** What a capsule tells the runtime; nobody answers. */
export interface CapsuleNotification {
  readonly jsonrpc: '2.0'
  readonly method: string
  readonly params?: unknown
}

/** What the runtime answers when it did what was asked. */
export interface CapsuleResult {
  readonly jsonrpc: '2.0'
  readonly id: CapsuleRequestId
  readonly result: unknown
}

/** What the runtime answers when it did not. Only the code says why; nothing of the host crosses with it. */
export interface CapsuleFailure {
  readonly jsonrpc: '2.0'
  readonly id: CapsuleRequestId | null
  readonly error: {
    readonly code: number
    readonly message: string
    readonly data: { readonly code: string }
  }
}

/** Numbers of {@link CapsuleFailure}; the first is JSON-RPC's own. */
export const CAPSULE_CHANNEL_ERROR = { invalidRequest: -32600, capabilityDenied: -32001 } as const
