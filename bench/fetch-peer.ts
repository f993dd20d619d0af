import { randomBytes } from 'node:crypto'
import { createReadStream, createWriteStream } from 'node:fs'
import { mkdir, open } from 'node:fs/promises'
import { createServer as createHttpServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { pipeline } from 'node:stream/promises'
import { connect, createServer, type TLSSocket } from 'node:tls'
import { silentLogger, systemClock, systemRandom } from '#contracts'
import { createFilePowers, openPackBlockStore } from '#content'
import { createBulkSockets, divertedTcp } from '#dht'
import { withBitswap } from '@helia/bitswap'
import { withLibp2pLight, type HeliaWithLibp2p } from '@helia/libp2p'
import { decode } from '@ipld/dag-pb'
import { identify } from '@libp2p/identify'
import type { ServiceMap } from '@libp2p/interface'
import { noise } from '@libp2p/noise'
import { peerIdFromString } from '@libp2p/peer-id'
import { tcp } from '@libp2p/tcp'
import { yamux } from '@libp2p/yamux'
import { multiaddr } from '@multiformats/multiaddr'
import type { FsBlockstore } from 'blockstore-fs'
import { MemoryDatastore } from 'datastore-core'
import { createHeliaLight } from 'helia'
import { createLibp2p, type Libp2p, type Libp2pOptions } from 'libp2p'
import { CID } from 'multiformats/cid'
import { createBlockSource } from '../content/block-source.ts'
import { walkDag } from '../content/dag-walk.ts'
import { importTree } from '../content/local-tree.ts'
import { startBitswap } from '../content/bitswap/index.ts'
import { startDagStreams, type DagStreams } from '../content/stream/index.ts'
import { createIdentity } from '../dht/bulk/powers.ts'
import { KUBO_VERSION, startKubo } from '../test/net/kubo.ts'

/**
 * A process of the `fetch-…` benchmarks: `fetch-peer.ts SIDE serve|fetch FOLDER SOURCE`. Serving, it prints where the
 * content is, and answers `memory` with the most that it took since the last such line; fetching, it connects, answers
 * each line that says where with `connected`, and then `fetched` once the content is in files of its own.
 */

interface Where {
  readonly [name: string]: string | number | undefined
}

interface Fetched {
  readonly seconds: number
  readonly firstMs: number
}

/** Fetches from where it is connected to into an empty folder. */
type Fetch = (output: string) => Promise<Fetched>

interface Side {
  serve(): Promise<Where>
  connect(where: Where): Promise<Fetch>
}

const [side = '', role = '', folder = '', source = ''] = process.argv.slice(2)
const READ_BYTES = 256 * 1024
const HELIA_WIDTH = 32
const KUBO_TIMEOUT_MS = 20 * 60_000
const isFlushed = process.env['BENCH_FLUSH'] === '1'

function say(event: Record<string, unknown>): void {
  process.stdout.write(`${JSON.stringify(event)}\n`)
}

/** Forces what was written to the disk, where that is measured. */
async function flush(path: string): Promise<void> {
  if (!isFlushed) return
  await once(spawn('sync', ['-f', path]), 'close')
}

class Stopwatch {
  readonly #startedAt = performance.now()
  #firstMs: number | undefined

  /** The first byte of the content is here. */
  first(): void {
    this.#firstMs ??= performance.now() - this.#startedAt
  }

  stop(): Fetched {
    const ms = performance.now() - this.#startedAt
    return { seconds: ms / 1000, firstMs: this.#firstMs ?? ms }
  }
}

function libp2pInit(transport: NonNullable<Libp2pOptions['transports']>[number]): Libp2pOptions {
  return {
    addresses: { listen: ['/ip4/127.0.0.1/tcp/0'] },
    transports: [transport],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
    connectionMonitor: { enabled: false },
    services: { identify: identify() }
  }
}

const whereOf = (libp2p: Libp2p, root: CID): Where => ({
  root: root.toString(),
  peerId: libp2p.peerId.toString(),
  address: libp2p.getMultiaddrs()[0]?.toString()
})

/** Our block store, our streams, bitswap behind them: what a node has. */
async function startOurs(blocks: string, provider?: Where): Promise<{ libp2p: Libp2p } & Parts> {
  const powers = { clock: systemClock, random: systemRandom, logger: silentLogger }
  const sockets = createBulkSockets(powers)
  const libp2p = await createLibp2p(libp2pInit(divertedTcp({}, sockets)))
  const store = await openPackBlockStore({ files: createFilePowers(), folder: blocks, logger: silentLogger })
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
  return { libp2p, store, streams, exchange, isDenied, ...powers }
}

interface Parts {
  readonly store: Awaited<ReturnType<typeof openPackBlockStore>>
  readonly streams: DagStreams
  readonly exchange: Awaited<ReturnType<typeof startBitswap>>
  readonly isDenied: () => boolean
  readonly clock: typeof systemClock
  readonly logger: typeof silentLogger
}

/** Puts the content into a store, as the same DAG whosever it is. */
async function importSource(store: Parts['store']): Promise<CID> {
  const options = { protectedFolders: [], hidden: false, entriesMax: 100_000 }
  const { signal } = new AbortController()
  return (await importTree(source, { files: createFilePowers(), store, signal, ...options })).cid
}

const ours: Side = {
  serve: async () => {
    const { libp2p, store } = await startOurs(join(folder, 'ours-server'))
    const cid = await importSource(store)
    await store.flush()
    return whereOf(libp2p, cid)
  },
  connect: async (where) => {
    const root = CID.parse(String(where['root']))
    const blocks = join(folder, 'ours-client')
    const { libp2p, store, ...parts } = await startOurs(blocks, where)
    await libp2p.dial(multiaddr(String(where['address'])))
    return async () => {
      const watch = new Stopwatch()
      const source = createBlockSource({ store, ...parts }, { findTimeoutMs: 30_000, stallTimeoutMs: 60_000 })
      {
        await using reader = source.read({ root, signal: new AbortController().signal })
        reader.follow(root)
        const walk = walkDag(root, {
          fetch: async (cid) => {
            const bytes = await reader.get(cid)
            if (cid.code === 0x55) watch.first()
            return bytes
          },
          hasLeaf: async (cid) => await store.has(cid)
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

async function startHelia(
  blocks: string
): Promise<HeliaWithLibp2p<ServiceMap> & { blockstoreFs: FsBlockstore }> {
  const { FsBlockstore: Store } = await import('blockstore-fs')
  const blockstore = new Store(blocks)
  await blockstore.open()
  const bare = createHeliaLight({ blockstore, datastore: new MemoryDatastore() })
  const helia: HeliaWithLibp2p<ServiceMap> = withBitswap(withLibp2pLight(bare, libp2pInit(tcp())))
  await helia.start()
  return Object.assign(helia, { blockstoreFs: blockstore })
}

const helia: Side = {
  serve: async () => {
    const { libp2p, blockstoreFs } = await startHelia(join(folder, 'helia-server'))
    // The same DAG as ours, whatever profile Helia would choose.
    const store = {
      put: async (cid: CID, bytes: Uint8Array) => {
        await blockstoreFs.put(cid, bytes)
      }
    } as unknown as Parts['store']
    const cid = await importSource(store)
    return whereOf(libp2p, cid)
  },
  connect: async (where) => {
    const root = CID.parse(String(where['root']))
    const blocks = join(folder, 'helia-client')
    const node = await startHelia(blocks)
    await node.libp2p.dial(multiaddr(String(where['address'])))
    return async () => {
      const watch = new Stopwatch()
      const providers = [peerIdFromString(String(where['peerId'])).toCID()]
      const session = node.blockstore.createSession(root, { providers })
      const signal = AbortSignal.timeout(20 * 60_000)
      const pending = [root]
      let running = 0
      const { promise, resolve, reject } = Promise.withResolvers<undefined>()
      const get = async (cid: CID): Promise<void> => {
        const parts: Uint8Array[] = []
        for await (const part of session.get(cid, { signal })) parts.push(part)
        if (cid.code === 0x55) watch.first()
        if (cid.code === 0x70)
          pending.push(
            ...decode(Buffer.concat(parts))
              .Links.map(({ Hash }) => Hash)
              .reverse()
          )
        running--
        more()
      }
      const more = (): void => {
        while (running < HELIA_WIDTH) {
          const next = pending.pop()
          if (next === undefined) break
          running++
          get(next).catch(reject)
        }
        if (running === 0) resolve(undefined)
      }
      more()
      await promise
      session.close()
      await flush(blocks)
      return watch.stop()
    }
  }
}

function fromSource(): NodeJS.ReadableStream {
  if (side !== 'tar') return createReadStream(source, { highWaterMark: READ_BYTES })
  return spawn('tar', ['-c', '-C', source, '.'], { stdio: ['ignore', 'pipe', 'inherit'] }).stdout
}

/** TLS 1.3 with certificates that nobody checks; `tar` sends a folder through it. */
const tls: Side = {
  serve: async () => {
    const { key, cert } = createIdentity({ random: systemRandom, nowMs: Date.now() })
    const server = createServer({ key, cert, minVersion: 'TLSv1.3' }, (socket: TLSSocket) => {
      socket.once('data', () => {
        pipeline(fromSource(), socket).catch(() => undefined)
      })
    })
    await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening))
    return { port: (server.address() as AddressInfo).port }
  },
  connect: async ({ port }) => {
    const socket = connect({ host: '127.0.0.1', port: Number(port), rejectUnauthorized: false })
    await once(socket, 'secureConnect')
    return async (output) => {
      const watch = new Stopwatch()
      socket.once('readable', () => watch.first())
      socket.write('go')
      if (side === 'tar') {
        await mkdir(output)
        const tar = spawn('tar', ['-x', '-C', output], { stdio: ['pipe', 'inherit', 'inherit'] })
        await Promise.all([pipeline(socket, tar.stdin), once(tar, 'close')])
      } else await pipeline(socket, createWriteStream(output))
      await flush(folder)
      return watch.stop()
    }
  }
}

const curl: Side = {
  serve: async () => {
    const server = createHttpServer((_request, response) => {
      pipeline(createReadStream(source, { highWaterMark: READ_BYTES }), response).catch(() => undefined)
    })
    await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening))
    return { port: (server.address() as AddressInfo).port }
  },
  connect: async ({ port }) =>
    await Promise.resolve(async (output: string) => {
      const watch = new Stopwatch()
      const [code] = (await once(
        spawn('curl', ['-s', '-o', output, `http://127.0.0.1:${port}/`]),
        'close'
      )) as [number]
      if (code !== 0) throw new Error(`curl ended with ${code}`)
      await flush(folder)
      return watch.stop()
    })
}

/** The `ipfs` program that the interoperability tests have built, or the one that is named. */
export function kuboProgram(): string {
  const cache = process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache')
  return process.env['ELASTOS_KUBO'] ?? join(cache, 'elastos-test', `kubo-${KUBO_VERSION}`, 'ipfs')
}

/** Two Kubo daemons; what is fetched is pinned, which is how Kubo fetches all of a DAG. */
const kubo: Side = {
  serve: async () => {
    const node = await startKubo(kuboProgram())
    const add = ['add', '-Q', '--cid-version=1', '--raw-leaves', '--chunker=size-1048576', source]
    return { root: await node.run(add, { timeoutMs: KUBO_TIMEOUT_MS }), address: node.addresses[0] }
  },
  connect: async ({ root, address }) => {
    const node = await startKubo(kuboProgram())
    await node.run(['swarm', 'connect', String(address)])
    return async () => {
      const watch = new Stopwatch()
      await node.run(['pin', 'add', '--progress=false', String(root)], { timeoutMs: KUBO_TIMEOUT_MS })
      await flush(node.folder)
      const fetched = watch.stop()
      await node[Symbol.asyncDispose]()
      return fetched
    }
  }
}

const SIDES: Readonly<Record<string, Side>> = { ours, helia, tls, tar: tls, curl, kubo }

async function main(): Promise<void> {
  const chosen = SIDES[side]
  if (chosen === undefined) throw new Error(`expected one of ${Object.keys(SIDES).join(', ')}`)
  if (role === 'serve') say({ event: 'ready', ...(await chosen.serve()) })
  else say({ event: 'ready' })
  let peakBytes = 0
  const watchMemory = (): void => {
    peakBytes = Math.max(peakBytes, process.memoryUsage.rss())
  }
  if (role === 'serve') setInterval(watchMemory, 20)
  let fetch: Fetch | undefined
  for await (const line of createInterface(process.stdin)) {
    if (line === 'memory') {
      watchMemory()
      say({ event: 'memory', nowBytes: process.memoryUsage.rss(), peakBytes })
      peakBytes = 0
    } else if (fetch === undefined) {
      fetch = await chosen.connect(JSON.parse(line) as Where)
      say({ event: 'connected' })
    } else {
      const output = join(folder, `${side}-client`, 'copy')
      await mkdir(join(folder, `${side}-client`), { recursive: true })
      const { seconds, firstMs } = await fetch(output)
      say({ event: 'fetched', seconds, firstMs })
    }
  }
  process.exit()
}

/** Writes a file of that size that no compression or sharing of blocks makes smaller. */
export async function writeRandomFile(path: string, bytes: number): Promise<void> {
  const file = await open(path, 'wx')
  const chunk = randomBytes(1024 * 1024)
  for (let at = 0; at < bytes; at += chunk.length) {
    chunk.writeDoubleLE(at)
    await file.write(chunk.subarray(0, Math.min(chunk.length, bytes - at)))
  }
  await file.close()
}

if (import.meta.main) await main()
