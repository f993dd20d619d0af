import { hash } from 'node:crypto'
import { silentLogger, systemClock } from '#contracts'
import { noise } from '@libp2p/noise'
import { identify, type Identify } from '@libp2p/identify'
import { tcp } from '@libp2p/tcp'
import { yamux } from '@libp2p/yamux'
import { createLibp2p, type Libp2p, type Libp2pOptions } from 'libp2p'
import { decode } from '@ipld/dag-pb'
import { CID } from 'multiformats/cid'
import { blockKey } from '../../../content/cid.ts'
import * as Digest from 'multiformats/hashes/digest'
import type { BlockSession } from '../../../content/exchange.ts'
import { createFlow, type Flow, type FlowInit } from '../../../content/flow/index.ts'
import {
  startBitswap,
  type Bitswap,
  type BitswapInit,
  type Misbehaviour,
  type Provider
} from '../../../content/bitswap/index.ts'

/** Blocks in memory by their `blockKey`. */
export type MemoryBlocks = Map<string, Uint8Array>

/** A libp2p node on loopback with our exchange over a store in memory. */
export interface ExchangeNode extends AsyncDisposable {
  readonly libp2p: Libp2p
  readonly peerId: string
  readonly bitswap: Bitswap
  readonly blocks: MemoryBlocks
  readonly misbehaviour: Misbehaviour[]
  readonly flow: Flow
  /** Where others find it. */
  provider(): Provider
}

/** What a test can change. */
export interface ExchangeNodeInit extends BitswapInit {
  readonly mayServe?: (cid: CID, peerId: string) => Promise<boolean>
  readonly providers?: () => Iterable<Provider>
  readonly onRead?: (cid: CID) => Promise<void>
  readonly flow?: FlowInit
}

/** How a libp2p node on loopback is made. */
export function testLibp2pInit(): Libp2pOptions<{ identify: Identify }> {
  return {
    addresses: { listen: ['/ip4/127.0.0.1/tcp/0'] },
    transports: [tcp()],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
    connectionMonitor: { enabled: false },
    connectionManager: { inboundConnectionThreshold: Infinity, maxIncomingPendingConnections: 100 },
    services: { identify: identify() }
  }
}

/** Starts a node; its content routing names whoever `providers` returns. */
export async function startExchangeNode(init: ExchangeNodeInit = {}): Promise<ExchangeNode> {
  const libp2p = await createLibp2p(testLibp2pInit())
  const blocks: MemoryBlocks = new Map()
  const misbehaviour: Misbehaviour[] = []
  const { providers, mayServe = () => Promise.resolve(true), onRead = () => Promise.resolve() } = init
  const flow = createFlow({ clock: systemClock, logger: silentLogger }, init.flow)
  const bitswap = await startBitswap(
    {
      libp2p,
      flow,
      clock: systemClock,
      logger: silentLogger,
      mayServe,
      store: {
        has: (cid) => Promise.resolve(blocks.has(blockKey(cid))),
        get: async (cid) => {
          await onRead(cid)
          return blocks.get(blockKey(cid))
        }
      },
      ...(providers === undefined ? {} : { routing: { findProviders: () => listed(providers()) } }),
      onMisbehaviour: (noted) => misbehaviour.push(noted)
    },
    init
  )
  return {
    libp2p,
    peerId: libp2p.peerId.toString(),
    bitswap,
    blocks,
    misbehaviour,
    flow,
    provider: () => ({
      peerId: libp2p.peerId.toString(),
      multiaddrs: libp2p.getMultiaddrs().map((address) => address.toString())
    }),
    [Symbol.asyncDispose]: async () => {
      await bitswap[Symbol.asyncDispose]()
      flow[Symbol.dispose]()
      await libp2p.stop()
    }
  }
}

async function* listed(providers: Iterable<Provider>): AsyncGenerator<Provider> {
  await Promise.resolve()
  yield* providers
}

/** The CIDv1 of raw bytes. */
export function cidOf(bytes: Uint8Array): CID {
  return CID.createV1(0x55, Digest.create(0x12, hash('sha256', bytes, 'buffer')))
}

/** Distinct bytes that look random, the same each time. */
export function patternBytes(length: number, seed: number): Uint8Array {
  const bytes = new Uint8Array(length)
  let state = (seed + 1) * 2_654_435_761
  for (let index = 0; index < length; index += 4) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    bytes[index] = state >>> 24
    bytes[index + 1] = state >>> 16
    bytes[index + 2] = state >>> 8
    bytes[index + 3] = state
  }
  return bytes
}

/** Puts `count` blocks of `length` bytes into a store. */
export function fillBlocks(blocks: MemoryBlocks, o: { count: number; length: number; seed?: number }): CID[] {
  return Array.from({ length: o.count }, (_, index) => {
    const bytes = patternBytes(o.length, (o.seed ?? 0) * 100_000 + index)
    const cid = cidOf(bytes)
    blocks.set(blockKey(cid), bytes)
    return cid
  })
}

/** The bytes of a UnixFS file of one or more levels, its leaves raw, fetched block by block. */
export async function readFile(session: BlockSession, root: CID, signal: AbortSignal): Promise<Uint8Array> {
  const block = await session.fetch(root, { signal })
  if (root.code === 0x55) return block
  const parts = await Promise.all(decode(block).Links.map(({ Hash }) => readFile(session, Hash, signal)))
  return Buffer.concat(parts)
}
