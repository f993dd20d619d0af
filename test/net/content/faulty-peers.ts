import { randomBytes } from 'node:crypto'
import type { Connection, Stream, StreamHandler } from '@libp2p/interface'
import { createLibp2p } from 'libp2p'
import type { BlockStore } from '#content'
import type { CID } from 'multiformats/cid'
import { BITSWAP_120 } from '../../../content/bitswap/constants.ts'
import { cidFromWire, prefixOfCid } from '../../../content/bitswap/block-key.ts'
import { encodeMessage, type WantEntry } from '../../../content/bitswap/message.ts'
import { blockKey } from '../../../content/cid.ts'
import { cidOf, testLibp2pInit, type MemoryBlocks } from './exchange-nodes.ts'
import { EMPTY, readMessages, startRawPeer, type RawPeer } from './raw-peer.ts'
import { startStreamNode, type StreamNode } from './stream-nodes.ts'

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

/** What a provider's stream carries before it misbehaves: some whole blocks, so that it is in the middle of them. */
const RIGHT_BYTES = 1_500_000

/** A node that serves DAGs by streams and does so wrongly after a while. */
export async function startFaultyStreamNode(fault: Fault, store: BlockStore): Promise<StreamNode> {
  const libp2p = await createLibp2p(testLibp2pInit())
  const handle = libp2p.handle.bind(libp2p)
  libp2p.handle = async (protocol, handler, options) => {
    const onStream: StreamHandler = (stream, connection) => {
      makeFaulty(fault, stream, connection)
      return handler(stream, connection)
    }
    await handle(protocol, onStream, options)
  }
  return await startStreamNode({ libp2p, store })
}

function makeFaulty(fault: Fault, stream: Stream, connection: Connection): void {
  const send = stream.send.bind(stream)
  let left = RIGHT_BYTES
  stream.send = (data) => {
    left -= data.byteLength
    if (left > 0) return send(data)
    const bytes = data.subarray().slice()
    switch (fault) {
      case 'stalls':
        return true
      case 'sends garbage':
        return send(randomBytes(bytes.length))
      case 'sends another block':
        // Blocks travel without a name: one other byte makes another block.
        bytes[bytes.length - 1] = 1 ^ (bytes.at(-1) ?? 0)
        return send(bytes)
      case 'vanishes':
        send(bytes.subarray(0, bytes.length / 2))
        connection.abort(new Error('gone'))
        return true
      case 'lies about sizes':
        return send(bytes.subarray(0, bytes.length / 2))
    }
  }
}

/** The length of the whole and half of the bytes: what comes next is taken for the other half. */
function sendHalf(stream: Stream, cid: CID, data: Uint8Array): void {
  const whole = Buffer.concat(encodeMessage({ ...EMPTY, blocks: [{ prefix: prefixOfCid(cid), data }] }))
  stream.send(whole.subarray(0, whole.length / 2))
}
