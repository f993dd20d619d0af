import { VmmError } from '../errors.ts'
import { VM_FRAME, VmFrameDecoder, type VmFrame } from './frames.ts'
import { CreditedStream, type VmStream, type VmStreamKind } from './stream.ts'

/** The streams of every machine, as descriptors of its program are numbered, and one more. */
export const VM_STREAM = { stdin: 1, stdout: 2, stderr: 3, channel: 4 } as const

const STREAM_KINDS: readonly (readonly [id: number, kind: VmStreamKind])[] = [
  [VM_STREAM.stdin, 'outgoing'],
  [VM_STREAM.stdout, 'incoming'],
  [VM_STREAM.stderr, 'incoming'],
  [VM_STREAM.channel, 'both']
]

/** What {@link createVmChannel} works with. */
export interface VmChannelComponents {
  /** Takes frames for the guest. Never waits: no more is sent than the guest allowed. */
  send(frame: Uint8Array): void
  /** Takes a frame of the guest that belongs to no stream; its payload is good until this returns. */
  take(frame: VmFrame): void
}

/** The host's end of a machine's channel. */
export interface VmChannel {
  readonly stdin: VmStream
  readonly stdout: VmStream
  readonly stderr: VmStream
  /** The runtime channel of the capsule: JSON-RPC, a message a line, as on any substrate. */
  readonly channel: VmStream
  /**
   * Takes the next bytes of the guest, which may be reused when this returns.
   *
   * @throws VmmError `ERR_VM_CHANNEL` for what a guest may not send; the channel is then of no further use
   */
  push(bytes: Uint8Array): void
  /** The guest has its streams: what was written to them is sent from now on. */
  open(): void
  /** The guest is gone: whoever waits for it waits no longer. */
  close(): void
}

/**
 * One ordered stream of bytes to a guest, cut into frames of several streams. Each side sends of a stream only what the other
 * allowed, so that one that nobody reads holds back no other and memory is bounded: 256 KiB a stream.
 *
 * @see docs/protocols/vm-channel.md
 */
export function createVmChannel({ send, take }: VmChannelComponents): VmChannel {
  const decoder = new VmFrameDecoder()
  const streams = new Map(STREAM_KINDS.map(([id, kind]) => [id, new CreditedStream(id, kind, send)]))
  const takeFrame = (frame: VmFrame): void => {
    if (frame.stream === 0 && frame.type < VM_FRAME.data) {
      take(frame)
      return
    }
    const stream = streams.get(frame.stream)
    if (stream === undefined || frame.type < VM_FRAME.data) {
      throw new VmmError('ERR_VM_CHANNEL', `expected no frame ${frame.type} of stream ${frame.stream}`)
    }
    stream.take(frame)
  }
  const named = (id: number): VmStream => {
    const stream = streams.get(id)
    if (stream === undefined) throw new RangeError(`expected a stream, ${id} is none`)
    return stream
  }
  return {
    stdin: named(VM_STREAM.stdin),
    stdout: named(VM_STREAM.stdout),
    stderr: named(VM_STREAM.stderr),
    channel: named(VM_STREAM.channel),
    push: (bytes) => decoder.push(bytes, takeFrame),
    open: () => {
      for (const stream of streams.values()) stream.open()
    },
    close: () => {
      for (const stream of streams.values()) stream.break()
    }
  }
}
