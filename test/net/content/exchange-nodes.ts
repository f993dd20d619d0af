import { hash } from 'node:crypto'
import { silentLogger, systemClock } from '#contracts'
import { noise } from '@libp2p/noise'
import { identify } from '@libp2p/identify'
import { tcp } from '@libp2p/tcp'
import { yamux } from '@libp2p/yamux'
import { createLibp2p, type Libp2p } from 'libp2p'
import { CID } from 'multiformats/cid'
import * as Digest from 'multiformats/hashes/digest'
import {
  startBitswap,
  type Bitswap,
  type BitswapInit,
  type Misbehaviour,
  type Provider
} from '../../../content/bitswap/index.ts'

/** Blocks in memory, by the text of their CID. */
export type MemoryBlocks = Map<string, Uint8Array>

/** A libp2p node on loopback with our exchange over a store in memory. */
export interface ExchangeNode extends AsyncDisposable {
  readonly libp2p: Libp2p
  readonly peerId: string
  readonly bitswap: Bitswap
  readonly blocks: MemoryBlocks
  readonly misbehaviour: Misbehaviour[]
  /** Where others find it. */
  provider(): Provider
}

/** What a test can change. */
export interface ExchangeNodeInit extends BitswapInit {
  readonly mayServe?: (cid: CID, peerId: string) => Promise<boolean>
  readonly providers?: () => Iterable<Provider>
  readonly onRead?: (cid: CID) => Promise<void>
}

/** A libp2p node on loopback and nothing more. */
export async function startTestLibp2p(): Promise<Libp2p> {
  return createLibp2p({
    addresses: { listen: ['/ip4/127.0.0.1/tcp/0'] },
    transports: [tcp()],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
    connectionMonitor: { enabled: false },
    connectionManager: { inboundConnectionThreshold: Infinity, maxIncomingPendingConnections: 100 },
    services: { identify: identify() }
  })
}

/** Starts a node; its content routing names whoever `providers` returns. */
export async function startExchangeNode(init: ExchangeNodeInit = {}): Promise<ExchangeNode> {
  const libp2p = await startTestLibp2p()
  const blocks: MemoryBlocks = new Map()
  const misbehaviour: Misbehaviour[] = []
  const { providers, mayServe = () => Promise.resolve(true), onRead = () => Promise.resolve() } = init
  const bitswap = await startBitswap(
    {
      libp2p,
      clock: systemClock,
      logger: silentLogger,
      mayServe,
      store: {
        has: (cid) => Promise.resolve(blocks.has(cid.toString())),
        get: async (cid) => {
          await onRead(cid)
          return blocks.get(cid.toString())
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
    provider: () => ({
      peerId: libp2p.peerId.toString(),
      multiaddrs: libp2p.getMultiaddrs().map((address) => address.toString())
    }),
    [Symbol.asyncDispose]: async () => {
      await bitswap[Symbol.asyncDispose]()
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
    blocks.set(cid.toString(), bytes)
    return cid
  })
}
