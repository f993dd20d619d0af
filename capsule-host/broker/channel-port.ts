import type { CapsuleError } from '../errors.ts'

/** The way back to a running capsule, for what stands behind its channel. */
export interface ChannelPort {
  /** Sends whole lines. Never waits; what the capsule has not taken counts in {@link waitingBytes}. */
  send(lines: Uint8Array): void
  /** Bytes sent that the process has not taken yet. */
  readonly waitingBytes: number
  /** Ends the capsule: it broke the rules of its channel. */
  fail(error: CapsuleError): void
}

/** What stands behind the channel of one running capsule. */
export interface CapsuleChannel {
  /**
   * Takes the next bytes the capsule wrote, which may be used again after it returns. Never throws: a capsule that
   * breaks the rules is ended through {@link ChannelPort.fail}, and what it writes afterwards is dropped.
   *
   * @returns how many messages were taken, for holding back a capsule that sends too many
   */
  push(bytes: Uint8Array): number
  /** The capsule has ended. Whatever it left under way is cancelled. Idempotent. */
  close(): void
}

/** Makes what stands behind a channel; called once for each run, when the process exists. */
export type ChannelFactory = (port: ChannelPort) => CapsuleChannel
