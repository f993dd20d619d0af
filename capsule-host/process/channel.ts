import type { CapsuleFailure } from '#contracts'
import { createChannelReader, encodeMessage, type ChannelMessage } from '../broker/json-rpc.ts'
import { failureOf, refusal } from '../broker/refusal.ts'
import type { CapsuleError } from '../errors.ts'

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
 * A channel on which every request is refused: a capsule behind which nobody stands can be given nothing.
 *
 * @see docs/protocols/capsule-channel.md
 */
export function createRefusingChannel(port: Pick<ChannelPort, 'send'>): CapsuleChannel {
  const reader = createChannelReader()
  return {
    push: (bytes) => {
      const { messages, cost } = reader.push(bytes)
      const failures = messages.map(refuse).filter((failure) => failure !== undefined)
      if (failures.length > 0) port.send(Buffer.concat(failures.map(encodeMessage)))
      return cost
    },
    close: () => undefined
  }
}

function refuse(message: ChannelMessage): CapsuleFailure | undefined {
  if (message.kind === 'invalid') return failureOf(null, refusal('ERR_CHANNEL_REQUEST'))
  return message.kind === 'request' ? failureOf(message.id, refusal('ERR_CAPABILITY_MISSING')) : undefined
}
