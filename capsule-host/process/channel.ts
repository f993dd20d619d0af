import {
  CAPSULE_CHANNEL_ERROR,
  CAPSULE_CHANNEL_LIMITS,
  createJsonLinesDecoder,
  encodeJsonLine,
  errorMessage,
  type CapsuleFailure,
  type CapsuleRequestId
} from '#contracts'
import { CapsuleError } from '../errors.ts'

/** What the runtime says back to one piece of the channel. */
export interface ChannelReply {
  /** Lines for the capsule; empty when nothing was asked. */
  readonly bytes: Uint8Array
  /** Messages that were taken, for holding back a capsule that sends too many. */
  readonly messageCount: number
}

/** The runtime's side of one capsule's channel. */
export interface CapsuleChannel {
  /**
   * Takes the next bytes the capsule wrote.
   *
   * @throws CapsuleError `ERR_CAPSULE_CHANNEL` for a line too long or not JSON; the channel is then of no further use
   */
  push(bytes: Uint8Array): ChannelReply
}

/**
 * A channel on which every request is refused: a capsule that was granted nothing can be given nothing.
 *
 * @see docs/protocols/capsule-channel.md
 */
export function createRefusingChannel(): CapsuleChannel {
  const decoder = createJsonLinesDecoder(CAPSULE_CHANNEL_LIMITS.lineBytesMax)
  const text = new TextEncoder()
  return {
    push: (bytes) => {
      let messages: unknown[]
      try {
        messages = decoder.push(bytes)
      } catch (cause) {
        throw new CapsuleError(
          'ERR_CAPSULE_CHANNEL',
          `the capsule broke its channel: ${errorMessage(cause)}`,
          {
            cause
          }
        )
      }
      const failures = messages.map(refuse).filter((failure) => failure !== undefined)
      return { bytes: text.encode(failures.map(encodeJsonLine).join('')), messageCount: messages.length }
    }
  }
}

function refuse(message: unknown): CapsuleFailure | undefined {
  if (typeof message !== 'object' || message === null || Array.isArray(message)) return invalidRequest()
  const { jsonrpc, id, method } = message as Record<string, unknown>
  if (jsonrpc !== '2.0') return invalidRequest()
  if (typeof method !== 'string') {
    // An answer to a request that was never made: nothing to say to it.
    return 'result' in message || 'error' in message ? undefined : invalidRequest()
  }
  if (id === undefined) return undefined
  if (!isRequestId(id)) return invalidRequest()
  return failure(id, {
    code: CAPSULE_CHANNEL_ERROR.capabilityDenied,
    message: 'this capsule holds no capability for that',
    data: { code: 'ERR_CAPABILITY_DENIED' }
  })
}

function isRequestId(id: unknown): id is CapsuleRequestId {
  if (typeof id === 'string') return id.length <= CAPSULE_CHANNEL_LIMITS.idLengthMax
  return typeof id === 'number' && Number.isSafeInteger(id)
}

function invalidRequest(): CapsuleFailure {
  return failure(null, {
    code: CAPSULE_CHANNEL_ERROR.invalidRequest,
    message: 'expected a request of JSON-RPC 2.0',
    data: { code: 'ERR_CHANNEL_REQUEST' }
  })
}

function failure(id: CapsuleRequestId | null, error: CapsuleFailure['error']): CapsuleFailure {
  return { jsonrpc: '2.0', id, error }
}
