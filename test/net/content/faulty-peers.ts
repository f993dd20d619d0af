import { randomBytes } from 'node:crypto'
import type { Stream } from '@libp2p/interface'
import type { CID } from 'multiformats/cid'
import { BITSWAP_120 } from '../../../content/bitswap/constants.ts'
import { cidFromWire, prefixOfCid } from '../../../content/bitswap/block-key.ts'
import { encodeMessage, type WantEntry } from '../../../content/bitswap/message.ts'
import { blockKey } from '../../../content/cid.ts'
import { cidOf, type MemoryBlocks } from './exchange-nodes.ts'
import { EMPTY, readMessages, startRawPeer, type RawPeer } from './raw-peer.ts'

/** What a provider does instead of sending what it is asked for. */
export const FAULTS = [
  'stalls',
  'sends garbage',
  'sends another block',
  'vanishes',
  'lies about sizes'
] as const
export type Fault = (typeof FAULTS)[number]

/** Starts a provider that says it has everything and then does not bring it. */
export async function startFaultyPeer(fault: Fault, blocks: MemoryBlocks): Promise<RawPeer> {
  let answers: Promise<Stream> | undefined
  return await startRawPeer((stream, peer) => {
    readMessages(stream, ({ wants }) => {
      const [connection] = peer.libp2p.getConnections()
      if (connection === undefined) return
      answers ??= connection.newStream(BITSWAP_120)
      answers.then((open) => answer(open, wants)).catch(() => undefined)
    })
    const answer = (stream: Stream, wants: readonly WantEntry[]): void => {
      const have = wants.filter((want) => !want.cancel && want.type === 'have')
      const presences = have.map(({ cid }) => ({ cid, has: true }))
      if (presences.length > 0) sendAll(stream, encodeMessage({ ...EMPTY, presences }))
      for (const want of wants) {
        if (!want.cancel && want.type === 'block') misbehave(stream, cidFromWire(want.cid), peer)
      }
    }
    const misbehave = (stream: Stream, cid: CID, peer: RawPeer): void => {
      const data = blocks.get(blockKey(cid)) ?? new Uint8Array(1_024)
      switch (fault) {
        case 'stalls':
          return
        case 'sends garbage':
          stream.send(randomBytes(4_096))
          return
        case 'sends another block': {
          const other = randomBytes(data.length)
          const block = { prefix: prefixOfCid(cidOf(other)), data: other }
          sendAll(stream, encodeMessage({ ...EMPTY, blocks: [block] }))
          return
        }
        case 'vanishes':
          sendHalf(stream, cid, data)
          for (const connection of peer.libp2p.getConnections()) connection.abort(new Error('gone'))
          return
        case 'lies about sizes':
          sendHalf(stream, cid, data)
      }
    }
  })
}

function sendAll(stream: Stream, parts: readonly Uint8Array[]): void {
  for (const part of parts) stream.send(part)
}

/** The length of the whole and half of the bytes: what comes next is taken for the other half. */
function sendHalf(stream: Stream, cid: CID, data: Uint8Array): void {
  const whole = Buffer.concat(encodeMessage({ ...EMPTY, blocks: [{ prefix: prefixOfCid(cid), data }] }))
  stream.send(whole.subarray(0, whole.length / 2))
}
