import { CapsuleError } from '../errors.ts'
import type { ChannelPort } from '../process/channel.ts'
import { CHANNEL_WAITING_BYTES_MAX } from './constants.ts'
import { encodeMessage, fitsLine } from './json-rpc.ts'

/** Writes messages to a capsule, and ends one that leaves too much unread. */
export interface ChannelWriter {
  /** Sends a message; false when it does not fit a line, and then nothing was sent. */
  send(message: object): boolean
  /** Ends the capsule. */
  fail(error: CapsuleError): void
  /** Nothing is sent any more. */
  close(): void
}

/** A writer to `port`. */
export function createChannelWriter(port: ChannelPort): ChannelWriter {
  let isOpen = true
  const fail = (error: CapsuleError): void => {
    if (!isOpen) return
    isOpen = false
    port.fail(error)
  }
  return {
    send: (message) => {
      const line = encodeMessage(message)
      if (!fitsLine(line)) return false
      if (!isOpen) return true
      // Not waited for: a capsule that writes and never reads would hold us as it holds itself.
      if (port.waitingBytes + line.byteLength > CHANNEL_WAITING_BYTES_MAX) {
        fail(
          new CapsuleError('ERR_CAPSULE_CHANNEL', 'the capsule left too many answers unread on its channel')
        )
      } else port.send(line)
      return true
    },
    fail,
    close: () => {
      isOpen = false
    }
  }
}
