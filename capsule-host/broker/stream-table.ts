import { CAPSULE_CHANNEL_LIMITS } from '#contracts'
import type { ChannelWriter } from './channel-writer.ts'
import { ChannelStream, type StreamInit } from './channel-stream.ts'
import { refusal } from './refusal.ts'

/** Who opened a stream: the capsule at a provider, or the host at the capsule. */
export type StreamSide = 'opened' | 'served'

/** The open streams of one channel. The host numbers them. */
export interface StreamTable {
  /** @throws Refusal `ERR_CHANNEL_BUSY` when as many are open as may be */
  open(side: StreamSide, init: StreamInit): { readonly number: number; readonly stream: ChannelStream }
  /** The open stream of that number; a capsule may speak of one that just closed. */
  get(number: number): ChannelStream | undefined
  /** How many are open. */
  count(side: StreamSide): number
  /** The capsule is gone. */
  close(why: unknown): void
}

const MAX: Readonly<Record<StreamSide, number>> = {
  opened: CAPSULE_CHANNEL_LIMITS.streamsMax,
  served: CAPSULE_CHANNEL_LIMITS.provideStreamsMax
}

/** No streams yet, on the channel behind `writer`. */
export function createStreamTable(writer: Pick<ChannelWriter, 'send'>): StreamTable {
  const streams = new Map<number, { readonly side: StreamSide; readonly stream: ChannelStream }>()
  let opened = 0
  const count = (side: StreamSide): number =>
    [...streams.values()].filter((entry) => entry.side === side).length
  const tell = (method: string, params: object): boolean => writer.send({ jsonrpc: '2.0', method, params })

  return {
    open: (side, init) => {
      if (count(side) >= MAX[side]) throw refusal('ERR_CHANNEL_BUSY')
      const number = ++opened
      const stream = new ChannelStream(
        {
          next: (item) => tell('stream.next', { stream: number, item }),
          credit: (credit) => tell('stream.credit', { stream: number, credit }),
          end: (code) => tell('stream.end', { stream: number, ...(code === undefined ? {} : { code }) }),
          close: () => tell('stream.close', { stream: number })
        },
        init
      )
      streams.set(number, { side, stream })
      stream.closed.addEventListener('abort', () => streams.delete(number), { once: true })
      return { number, stream }
    },
    get: (number) => streams.get(number)?.stream,
    count,
    close: (why) => {
      for (const { stream } of streams.values()) stream.drop(why)
    }
  }
}
