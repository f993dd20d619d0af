import { join } from 'node:path'
import { silentLogger, systemClock, systemRandom } from '#contracts'
import { createFilePowers, openPackBlockStore } from '#content'
import { createBulkSockets, divertedTcp, startRehearsalNetwork, type RehearsalNetwork } from '#dht'
import { decode } from '@ipld/dag-pb'
import { identify } from '@libp2p/identify'
import type { PeerId, PeerStore } from '@libp2p/interface'
import { peerIdFromString } from '@libp2p/peer-id'
import { multiaddr } from '@multiformats/multiaddr'
import type { FsBlockstore } from 'blockstore-fs'
import { createLibp2p, type Libp2p } from 'libp2p'
import { CID } from 'multiformats/cid'
import { createBlockSource } from '../content/block-source.ts'
import { walkDag } from '../content/dag-walk.ts'
import { rehearseFetch } from '../content/rehearsal.ts'
import { importTree } from '../content/local-tree.ts'
import { startBitswap } from '../content/bitswap/index.ts'
import { encryptedStreams } from '../dht/libp2p-options.ts'
import { quickenPeerStore } from '../dht/quick-peer-store.ts'
import { quietLogger } from '../dht/quiet-logger.ts'
import { startDagStreams, type DagStreams } from '../content/stream/index.ts'
import { testLibp2pInit } from '../test/net/content/exchange-nodes.ts'
import { flush, HELIA_WIDTH, Stopwatch, type Side, type Where } from './fetch-side.ts'
import { startHelia } from './stock-helia.ts'

const HELIA_TIMEOUT_MS = 20 * 60_000

const whereOf = (libp2p: Libp2p, imported: Where): Where => ({
  ...imported,
  peerId: libp2p.peerId.toString(),
  address: libp2p.getMultiaddrs()[0]?.toString()
})

interface Parts {
  readonly store: Awaited<ReturnType<typeof openOurStore>>
  readonly streams: DagStreams
  readonly exchange: Awaited<ReturnType<typeof startBitswap>>
  readonly isDenied: () => boolean
  readonly clock: typeof systemClock
  readonly logger: typeof silentLogger
}

async function openOurStore(folder: string): ReturnType<typeof openPackBlockStore> {
  return await openPackBlockStore({ files: createFilePowers(), folder, logger: silentLogger })
}

/** Our block store, our streams, bitswap behind them: what a node has; and what it does by itself soon after its start. */
async function startOurs(blocks: string, provider?: Where): Promise<{ libp2p: Libp2p } & Parts> {
  const powers = { clock: systemClock, random: systemRandom, logger: silentLogger }
  const sockets = createBulkSockets(powers)
  const libp2p = await createLibp2p({
    ...testLibp2pInit(),
    ...encryptedStreams(),
    logger: quietLogger,
    transports: [divertedTcp({}, sockets)],
    services: {
      identify: identify({ runOnLimitedConnection: true }),
      quick: ({ peerStore, peerId }: { peerStore: PeerStore; peerId: PeerId }) => {
        quickenPeerStore(peerStore, systemClock, peerId)
      }
    }
  })
  const store = await openOurStore(blocks)
  const isDenied = (): boolean => false
  const routing = {
    findProviders: async function* () {
      await Promise.resolve()
      if (provider !== undefined)
        yield { peerId: String(provider['peerId']), multiaddrs: [String(provider['address'])] }
    }
  }
  const exchange = await startBitswap({
    ...{ ...powers, libp2p, store, routing },
    mayServe: async () => await Promise.resolve(true)
  })
  const streams = await startDagStreams({
    ...{ ...powers, libp2p, store, routing, sockets, isDenied },
    connect: (...to) => exchange.connect(...to),
    grantOf: async () => await Promise.resolve({ below: true, holds: () => true })
  })
  const startNetwork = async (signal: AbortSignal): Promise<RehearsalNetwork> =>
    await startRehearsalNetwork(powers, signal)
  await rehearseFetch({ ...powers, startNetwork }, new AbortController().signal)
  return { libp2p, store, streams, exchange, isDenied, ...powers }
}

/** Puts the content into a store, as the same DAG whosever it is. */
async function importSource(source: string, store: Parts['store']): Promise<Where> {
  const options = { protectedFolders: [], hidden: false, entriesMax: 100_000 }
  const { signal } = new AbortController()
  const { cid } = await importTree(source, { files: createFilePowers(), store, signal, ...options })
  return { root: cid.toString() }
}

/**
 * Two of our nodes. The server reads each block from its packs and checks it; the client hashes each against its CID
 * before anything else happens to it, and appends it to its own packs, to survive a power cut.
 */
export const ours: Side = {
  import: async ({ folder, source }) => {
    await using store = await openOurStore(join(folder, 'ours-server'))
    const imported = await importSource(source, store)
    await store.flush()
    return imported
  },
  serve: async ({ folder }, imported) => {
    const { libp2p } = await startOurs(join(folder, 'ours-server'))
    return whereOf(libp2p, imported)
  },
  connect: async ({ folder }, where) => {
    const root = CID.parse(String(where['root']))
    const blocks = join(folder, 'ours-client')
    const { libp2p, store, ...parts } = await startOurs(blocks, where)
    await libp2p.dial(multiaddr(String(where['address'])))
    return async () => {
      const watch = new Stopwatch()
      const source = createBlockSource({ store, ...parts }, { findTimeoutMs: 30_000, stallTimeoutMs: 60_000 })
      {
        const { signal } = new AbortController()
        await using reader = source.read({ root, signal, durable: true })
        reader.follow(root)
        let isFirst = true
        const walk = walkDag(root, {
          clock: systemClock,
          fetch: async (cid) => {
            const bytes = await reader.get(cid)
            if (cid.code === 0x55) watch.first()
            return bytes
          },
          hasLeaf: async (cid) => {
            const isRead = isFirst
            isFirst = false
            if (!isRead) await reader.bring(cid)
            return !isRead
          }
        })
        for await (const _ of walk) {
          // Each block is in the store once the walk is over.
        }
      }
      await flush(blocks)
      const fetched = watch.stop()
      await store[Symbol.asyncDispose]()
      return fetched
    }
  }
}

async function openHeliaStore(path: string): Promise<FsBlockstore> {
  const { FsBlockstore: Store } = await import('blockstore-fs')
  const store = new Store(path)
  await store.open()
  return store
}

/** Two stock Helia nodes with blockstore-fs; a session asks the server for so many blocks at a time. */
export const helia: Side = {
  import: async ({ folder, source }) => {
    const blockstore = await openHeliaStore(join(folder, 'helia-server'))
    // The same DAG as ours, whatever profile Helia would choose.
    const put = async (cid: CID, bytes: Uint8Array): Promise<void> => {
      await blockstore.put(cid, bytes)
    }
    const imported = await importSource(source, { put } as unknown as Parts['store'])
    await blockstore.close()
    return imported
  },
  serve: async ({ folder }, imported) => {
    const { libp2p } = await startHelia(await openHeliaStore(join(folder, 'helia-server')))
    return whereOf(libp2p, imported)
  },
  connect: async ({ folder }, where) => {
    const root = CID.parse(String(where['root']))
    const blocks = join(folder, 'helia-client')
    const node = await startHelia(await openHeliaStore(blocks))
    await node.libp2p.dial(multiaddr(String(where['address'])))
    return async () => {
      const watch = new Stopwatch()
      const providers = [peerIdFromString(String(where['peerId'])).toCID()]
      const session = node.blockstore.createSession(root, { providers })
      const signal = AbortSignal.timeout(HELIA_TIMEOUT_MS)
      const get = async (cid: CID): Promise<CID[]> => {
        const parts: Uint8Array[] = []
        for await (const part of session.get(cid, { signal })) parts.push(part)
        if (cid.code === 0x55) watch.first()
        return cid.code === 0x70 ? decode(Buffer.concat(parts)).Links.map(({ Hash }) => Hash) : []
      }
      await forAll(root, get)
      session.close()
      await flush(blocks)
      return watch.stop()
    }
  }
}

/** Gets a root and whatever it leads to, so many at a time. */
async function forAll(root: CID, get: (cid: CID) => Promise<CID[]>): Promise<void> {
  const pending = [root]
  let running = 0
  const { promise, resolve, reject } = Promise.withResolvers<undefined>()
  const take = async (cid: CID): Promise<void> => {
    pending.push(...(await get(cid)).reverse())
    running--
    more()
  }
  const more = (): void => {
    while (running < HELIA_WIDTH) {
      const next = pending.pop()
      if (next === undefined) break
      running++
      take(next).catch(reject)
    }
    if (running === 0) resolve(undefined)
  }
  more()
  await promise
}
