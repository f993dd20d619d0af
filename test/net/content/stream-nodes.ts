import { silentLogger, systemClock, systemRandom } from '#contracts'
import { createMemoryBlockStore, RAW_CODEC } from '#content'
import type { BlockStore, Misbehaviour } from '#content'
import { createBulkSockets, divertedTcp } from '#dht'
import type { BulkSockets } from '#dht'
import { multiaddr } from '@multiformats/multiaddr'
import { createLibp2p, type Libp2p } from 'libp2p'
import type { Stream } from '@libp2p/interface'
import type { CID } from 'multiformats/cid'
import type { Provider } from '../../../content/bitswap/peer-search.ts'
import { DAG_PROTOCOL } from '../../../content/stream/constants.ts'
import type { StreamLimits } from '../../../content/stream/constants.ts'
import { linksOf } from '../../../content/dag-links.ts'
import { importFile } from '../../../content/import-dag.ts'
import type { DagFetch } from '../../../content/stream/dag-fetch.ts'
import { startDagStreams, type DagStreams, type ServingGrant } from '../../../content/stream/index.ts'
import { patternBytes, testLibp2pInit } from './exchange-nodes.ts'

/** A libp2p node on loopback that serves and fetches DAGs by streams. */
export interface StreamNode extends AsyncDisposable {
  readonly libp2p: Libp2p
  readonly streams: DagStreams
  readonly store: BlockStore
  readonly misbehaviour: Misbehaviour[]
  /** Sockets of its own that it has opened or taken. */
  socketCount(): number
  provider(): Provider
}

/** What a test can change. */
export interface StreamNodeInit {
  readonly providers?: () => Iterable<Provider> | AsyncIterable<Provider>
  readonly grantOf?: (cid: CID, peerId: string) => ServingGrant | undefined
  readonly isDenied?: (cid: CID) => boolean
  readonly limits?: Partial<StreamLimits>
  readonly store?: BlockStore
  readonly libp2p?: Libp2p
  /** Bulk goes over sockets of its own. */
  readonly sockets?: boolean
}

/** A grant of everything. */
export const EVERYTHING: ServingGrant = { below: true, holds: () => true }

/** Starts a node; its content routing names whoever `providers` returns. */
export async function startStreamNode(init: StreamNodeInit = {}): Promise<StreamNode> {
  const sockets = createCountedSockets()
  const transports = init.sockets === true ? [divertedTcp({}, sockets)] : undefined
  const libp2pInit = { ...testLibp2pInit(), ...(transports === undefined ? {} : { transports }) }
  const libp2p = init.libp2p ?? (await createLibp2p(libp2pInit))
  const store = init.store ?? createMemoryBlockStore()
  const misbehaviour: Misbehaviour[] = []
  const { providers } = init
  const streams = await startDagStreams(
    {
      libp2p,
      store,
      sockets: init.sockets === true ? sockets : undefined,
      clock: systemClock,
      logger: silentLogger,
      routing: providers === undefined ? undefined : { findProviders: () => listed(providers()) },
      connect: async ({ multiaddrs }, signal) => {
        if (multiaddrs.length === 0) return
        await libp2p.dial(
          multiaddrs.map((address) => multiaddr(address)),
          { signal }
        )
      },
      grantOf: async (cid, peerId) =>
        await Promise.resolve((init.grantOf ?? (() => EVERYTHING))(cid, peerId)),
      isDenied: init.isDenied ?? (() => false),
      onMisbehaviour: (noted) => misbehaviour.push(noted)
    },
    { limits: init.limits ?? {} }
  )
  return {
    libp2p,
    streams,
    store,
    misbehaviour,
    socketCount: () => sockets.count,
    provider: () => providerOf(libp2p),
    [Symbol.asyncDispose]: async () => {
      await streams[Symbol.asyncDispose]()
      sockets[Symbol.dispose]()
      await libp2p.stop()
    }
  }
}

function createCountedSockets(): BulkSockets & { readonly count: number } {
  const sockets = createBulkSockets({ clock: systemClock, random: systemRandom, logger: silentLogger })
  let count = 0
  const counted = async <T>(pipe: Promise<T>): Promise<T> => {
    const opened = await pipe
    count++
    return opened
  }
  return {
    get fingerprint() {
      return sockets.fingerprint
    },
    get count() {
      return count
    },
    sideOf: (connection) => sockets.sideOf(connection),
    expect: (init) => {
      const { token, pipe } = sockets.expect(init)
      return { token, pipe: counted(pipe) }
    },
    dial: async (init) => await counted(sockets.dial(init)),
    accept: (socket) => sockets.accept(socket),
    listening: () => sockets.listening(),
    [Symbol.dispose]: () => sockets[Symbol.dispose]()
  }
}

/** Where others find a node. */
export function providerOf(libp2p: Libp2p): Provider {
  return {
    peerId: libp2p.peerId.toString(),
    multiaddrs: libp2p.getMultiaddrs().map((address) => address.toString())
  }
}

async function* listed(providers: Iterable<Provider> | AsyncIterable<Provider>): AsyncGenerator<Provider> {
  await Promise.resolve()
  yield* providers
}

/** A libp2p node that does with the streams of our protocol whatever a test says. */
export async function startRawProvider(onStream: (stream: Stream) => void): Promise<Libp2p> {
  const libp2p = await createLibp2p(testLibp2pInit())
  await libp2p.handle(DAG_PROTOCOL, onStream)
  return libp2p
}

/** Puts a file of that size, the same each time, and returns its root. */
export async function putFile(store: BlockStore, o: { bytes: number; seed?: number }): Promise<CID> {
  const chunkBytes = 1024 * 1024
  const content = async function* (): AsyncGenerator<Uint8Array> {
    for (let at = 0; at < o.bytes; at += chunkBytes) {
      yield patternBytes(Math.min(chunkBytes, o.bytes - at), (o.seed ?? 0) * 100_000 + at)
      await Promise.resolve()
    }
  }
  return (await importFile(content(), store)).cid
}

/** Reads all of a DAG through a fetch, depth first; blocks that nobody streams are `undefined`. */
export async function readDag(fetch: DagFetch, root: CID): Promise<(Uint8Array | undefined)[]> {
  const bytes = await fetch.fetch(root)
  const found = [bytes]
  if (bytes === undefined || root.code === RAW_CODEC) return found
  for (const link of linksOf(root, bytes)) found.push(...(await readDag(fetch, link)))
  return found
}
