import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Stream } from '@libp2p/interface'
import { multiaddr } from '@multiformats/multiaddr'
import { createLibp2p, type Libp2p } from 'libp2p'
import type { Provider } from '../../../content/bitswap/index.ts'
import { BITSWAP_120 } from '../../../content/bitswap/constants.ts'
import { FrameReader } from '../../../content/bitswap/frame-reader.ts'
import { decodeMessage, type BitswapMessage } from '../../../content/bitswap/message.ts'
import { testLibp2pInit } from './exchange-nodes.ts'

/** A message that says nothing. */
export const EMPTY: BitswapMessage = { wants: [], full: false, blocks: [], presences: [], pendingBytes: 0 }

/** Whoever can be dialled. */
export interface Reachable {
  provider(): Provider
}

/** A libp2p node that does with bitswap streams whatever a test says. */
export interface RawPeer extends AsyncDisposable {
  readonly libp2p: Libp2p
  /** Where others find it. */
  provider(): Provider
  send(to: Reachable, parts: readonly Uint8Array[]): Promise<Stream>
}

/** Starts one; `onStream` is called for each bitswap stream opened to it. */
export async function startRawPeer(onStream: (stream: Stream, peer: RawPeer) => void): Promise<RawPeer> {
  const libp2p = await createLibp2p(testLibp2pInit())
  const peer: RawPeer = {
    libp2p,
    provider: () => ({
      peerId: libp2p.peerId.toString(),
      multiaddrs: libp2p.getMultiaddrs().map((address) => address.toString())
    }),
    send: async (to, parts) => {
      const stream = await libp2p.dialProtocol(addressesOf(to), BITSWAP_120)
      for (const part of parts) stream.send(part)
      return stream
    },
    [Symbol.asyncDispose]: async () => {
      await libp2p.stop()
    }
  }
  await libp2p.handle(BITSWAP_120, (stream) => {
    onStream(stream, peer)
  })
  return peer
}

/** Where a node listens. */
export function addressesOf(node: Reachable): ReturnType<typeof multiaddr>[] {
  return node.provider().multiaddrs.map((address) => multiaddr(address))
}

/** Calls `onMessage` with each message that comes over a stream. */
export function readMessages(stream: Stream, onMessage: (message: BitswapMessage) => void): void {
  const budget = { take: () => undefined, give: () => undefined }
  const reader = new FrameReader({ budget, onFrame: (chunks) => onMessage(decodeMessage(chunks)) })
  stream.addEventListener('message', ({ data }) => {
    for (const chunk of data instanceof Uint8Array ? [data] : data) reader.push(chunk)
  })
}

/** Waits for what happens soon. */
export async function until(condition: () => boolean): Promise<void> {
  for (let attempt = 0; attempt < 1_500 && !condition(); attempt++) await sleep(10)
  assert.ok(condition(), 'fifteen seconds were not enough')
}
