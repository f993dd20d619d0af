import type { CapsuleFailure } from '#contracts'
import { CapsuleError } from '../errors.ts'
import type { ChannelFactory } from './channel-port.ts'
import { createChannelWriter } from './channel-writer.ts'
import { createChannelReader, type ChannelMessage } from './json-rpc.ts'
import { failureOf, refusal } from './refusal.ts'

/**
 * A channel on which every request is refused: a capsule behind which nobody stands can be given nothing.
 *
 * @see docs/protocols/capsule-channel.md
 */
export const refusingChannel: ChannelFactory = (port) => {
  const reader = createChannelReader()
  const writer = createChannelWriter(port)
  let isOpen = true
  const close = (): void => {
    isOpen = false
    writer.close()
  }
  return {
    push: (bytes) => {
      if (!isOpen) return 0
      try {
        const { messages, cost } = reader.push(bytes)
        for (const message of messages) {
          const answer = refuse(message)
          if (answer !== undefined) writer.send(answer)
        }
        return cost
      } catch (thrown) {
        if (!(thrown instanceof CapsuleError)) throw thrown
        writer.fail(thrown)
        close()
        return 0
      }
    },
    close
  }
}

function refuse(message: ChannelMessage): CapsuleFailure | undefined {
  if (message.kind === 'invalid') return failureOf(null, refusal('ERR_CHANNEL_REQUEST'))
  if (message.kind !== 'request') return undefined
  return failureOf(message.id, refusal('ERR_CAPABILITY_DENIED'))
}
