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

/** What a channel does to the capsule it belongs to. */
export interface ChannelPort {
  /** Hands whole lines to the capsule. Never waits: look at {@link waitingBytes} before more is sent than was asked for. */
  send(lines: Uint8Array): void
  /** Bytes on their way to the capsule's process that it has not taken. Beyond 512 KiB the capsule is ended. */
  readonly waitingBytes: number
  /** Ends the capsule. */
  fail(error: CapsuleError): void
}

/** The runtime's side of one capsule's channel. */
export interface CapsuleChannel {
  /**
   * Takes the next bytes the capsule wrote; `bytes` is a view that is good until this returns. Returns how many messages
   * were in them, for holding back a capsule that sends too many.
   *
   * @throws CapsuleError `ERR_CAPSULE_CHANNEL` for a line too long or not JSON; the channel is then of no further use
   */
  push(bytes: Uint8Array): number
  /** The capsule has ended; called once, nothing can be sent any more. */
  close(): void
}

/** Opens the channel of one run, before the capsule's program starts. */
export type ChannelFactory = (port: ChannelPort) => CapsuleChannel

/**
 * A channel on which every request is refused: a capsule that was granted nothing can be given nothing.
 *
 * @see docs/protocols/capsule-channel.md
 */
export function createRefusingChannel(port: Pick<ChannelPort, 'send'>): CapsuleChannel {
  const decoder = createJsonLinesDecoder(CAPSULE_CHANNEL_LIMITS.lineBytesMax)
  const text = new TextEncoder()
  return {
    push: (bytes) => {
      let messages: unknown[]
      try {
        messages = decoder.push(bytes)
      } catch (cause) {
        const why = errorMessage(cause)
        throw new CapsuleError('ERR_CAPSULE_CHANNEL', `the capsule broke its channel: ${why}`, { cause })
      }
      const failures = messages.map(refuse).filter((failure) => failure !== undefined)
      if (failures.length > 0) port.send(text.encode(failures.map(encodeJsonLine).join('')))
      return messages.length
    },
    close: () => undefined
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
