import { setTimeout as sleep } from 'node:timers/promises'
import type { Stream } from '@libp2p/interface'
import type { CID } from 'multiformats/cid'
import { encodeMessage } from '../../../content/bitswap/message.ts'
import { EMPTY, startRawPeer, type RawPeer, type Reachable } from './raw-peer.ts'

/** What a peer does with the blocks it asked for. */
export type Appetite = 'reads nothing' | 'reads now and then'

const WANTS = 1_024
const WANTS_AT_A_TIME = 64
const GLANCE_PERIOD_MS = 250

/** Starts a peer that wants 1,024 blocks over sixteen streams and does not take them. */
export async function startGreedyPeer(
  server: Reachable,
  cids: readonly CID[],
  appetite: Appetite
): Promise<RawPeer> {
  const stop = new AbortController()
  const peer = await startRawPeer((stream) => {
    stream.pause()
    if (appetite === 'reads now and then') void glance(stream, stop.signal)
  })
  for (let from = 0; from < WANTS; from += WANTS_AT_A_TIME) {
    const wants = Array.from({ length: WANTS_AT_A_TIME }, (_, index) => {
      const { bytes: cid } = cids[(from + index) % cids.length] as CID
      return { cid, priority: 1, cancel: false, type: 'block', sendDontHave: true } as const
    })
    await peer.send(server, encodeMessage({ ...EMPTY, wants }))
  }
  return {
    ...peer,
    [Symbol.asyncDispose]: async () => {
      stop.abort()
      await peer[Symbol.asyncDispose]()
    }
  }
}

/** Takes what has come, four times a second, and lets nothing more come meanwhile. */
async function glance(stream: Stream, signal: AbortSignal): Promise<void> {
  while (!signal.aborted && stream.readStatus === 'paused') {
    await sleep(GLANCE_PERIOD_MS, undefined, { ref: false })
    if (stream.readStatus !== 'paused') return
    try {
      stream.resume()
      stream.pause()
    } catch {
      // The server has ended the connection.
      return
    }
  }
}
