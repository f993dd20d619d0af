import type { Datastore } from 'interface-datastore'
import type { CID } from 'multiformats/cid'
import { errorMessage } from '#contracts'
import type { Clock, Logger, Random } from '#contracts'
import { didFromPeerId } from '#did'
import type { Did } from '#did'
import { Announcer } from './announcer.ts'
import { startBitswap } from './bitswap/index.ts'
import { createBlockSource } from './block-source.ts'
import { FIND_TIMEOUT_MS, STALL_TIMEOUT_MS } from './constants.ts'
import { createFlow, type Flow, type FlowInit } from './flow/index.ts'
import { Gate } from './gate.ts'
import { NodeContent } from './node-content.ts'
import { createFilePowers } from './powers.ts'
import { openRootIndex } from './root-index.ts'
import { rehearseSoon } from './rehearsal.ts'
import { startDagStreams } from './stream/index.ts'
import { openPackBlockStore } from './store/pack-block-store.ts'
import { UnfinishedGets } from './unfinished-gets.ts'
import type { BitswapComponents, BitswapInit, BitswapLibp2p, BitswapStats } from './bitswap/index.ts'
import type { BlockStore } from './block-store.ts'
import type { Content } from './content.ts'
import type { BlockExchange, ContentRouting } from './exchange.ts'
import type { FilePowers } from './files.ts'
import type { RootIndex } from './root-index.ts'
import type {
  BulkSockets,
  DagStreamComponents,
  DagStreamInit,
  DagStreams,
  RehearsalNetwork,
  ServingGrant
} from './stream/index.ts'

/** What content works with. */
export interface ContentComponents {
  /** Bitswap runs over it. Absent, and without `exchange`: only what is here can be read. */
  libp2p?: BitswapLibp2p
  /** Sockets for bulk beside libp2p's connections; absent, bulk goes over its streams. */
  sockets?: BulkSockets | undefined
  /** Used instead of bitswap; the caller starts and stops it, and serving is its own affair. */
  exchange?: BlockExchange
  /** `off`: nothing is announced, and only connected peers are asked. */
  routing: ContentRouting | 'off'
  /** Shared; content uses the keys below `/content/`. */
  datastore: Datastore
  /** A folder of its own (made when missing), or a store that is already open and stays the caller's. */
  blocks: string | BlockStore
  /** Whether a CID is on the deny list: it is not added, fetched, served or announced. */
  isDenied(cid: CID): boolean
  /** Folders that are never added, such as the one with the keys: absolute, every link resolved. */
  protectedFolders?: readonly string[]
  /** The real disk when absent. */
  files?: FilePowers
  /** Starts a connection of this process with itself, over which a fetch is rehearsed when the node has nothing to do. */
  startRehearsalNetwork?: ((signal: AbortSignal) => Promise<RehearsalNetwork>) | undefined
  clock: Clock
  random: Random
  logger: Logger
  onMisbehaviour?: NonNullable<BitswapComponents['onMisbehaviour']>
}

/** Options of {@link startContent}. */
export interface ContentInit {
  /** How long a get waits for its first block. */
  findTimeoutMs?: number
  /** How long it waits for each later one. */
  stallTimeoutMs?: number
  bitswap?: BitswapInit
  /** Limits of all that is sent and received: no bandwidth caps when absent. */
  flow?: FlowInit
  /** `off`: blocks are neither asked for nor served but by bitswap. */
  streams?: DagStreamInit | 'off'
}

/**
 * Opens the block store and the pins, starts the block exchange, and announces every public root.
 *
 * @throws ContentError `ERR_STORE_VERSION`, `ERR_STORE_IO`, `ERR_PATH_DENIED`, `ERR_DISK_FULL`, `ERR_PIN_LIMIT`
 */
export async function startContent(components: ContentComponents, init: ContentInit = {}): Promise<Content> {
  const { datastore, isDenied, clock, random } = components
  const logger = components.logger.child('content')
  const files = components.files ?? createFilePowers()
  await using stack = new AsyncDisposableStack()
  const store = await openStore({ blocks: components.blocks, files, logger, stack })
  const roots = await openRootIndex({ datastore, isDenied, logger })
  const unfinished = new UnfinishedGets({ datastore, clock, logger })
  await unfinished.load()
  const mayServe = servingRule(roots, logger)
  const flow = stack.use(createFlow({ clock, logger: logger.child('flow') }, init.flow))
  const exchangeParts = { components, init, store, roots, mayServe, flow, stack }
  const { exchange, streams, exchangeStats } = await openExchange(exchangeParts)
  const { routing } = components
  const announcer =
    routing === 'off' ? undefined : stack.use(new Announcer({ routing, isDenied, clock, random, logger }))
  const gate = stack.use(new Gate(store))
  const source = createBlockSource(
    { store, exchange, streams, isDenied, clock, logger },
    {
      findTimeoutMs: init.findTimeoutMs ?? FIND_TIMEOUT_MS,
      stallTimeoutMs: init.stallTimeoutMs ?? STALL_TIMEOUT_MS
    }
  )
  const parts = {
    protectedFolders: components.protectedFolders ?? [],
    exchangeStats,
    flow,
    store,
    files,
    roots,
    unfinished,
    source,
    exchange,
    announcer,
    gate,
    isDenied,
    clock,
    random,
    mayServe
  }
  const content = new NodeContent({ ...parts, running: stack.move() })
  content.announceAll()
  return content
}

async function openStore(o: {
  blocks: string | BlockStore
  files: FilePowers
  logger: Logger
  stack: AsyncDisposableStack
}): Promise<BlockStore> {
  if (typeof o.blocks !== 'string') return o.blocks
  return o.stack.use(await openPackBlockStore({ files: o.files, folder: o.blocks, logger: o.logger }))
}

async function openExchange(o: {
  components: ContentComponents
  init: ContentInit
  store: BlockStore
  roots: RootIndex
  mayServe: (cid: CID, peerId: string) => Promise<boolean>
  flow: Flow
  stack: AsyncDisposableStack
}): Promise<{
  exchange: BlockExchange | undefined
  streams?: DagStreams | undefined
  exchangeStats: (() => BitswapStats) | undefined
}> {
  const { libp2p, exchange, routing, clock, logger, onMisbehaviour } = o.components
  if (exchange !== undefined || libp2p === undefined) return { exchange, exchangeStats: undefined }
  const parts: BitswapComponents = {
    libp2p,
    store: o.store,
    mayServe: o.mayServe,
    flow: o.flow,
    clock,
    logger: logger.child('bitswap')
  }
  const bitswap = await startBitswap(
    {
      ...parts,
      ...(routing === 'off' ? {} : { routing }),
      ...(onMisbehaviour === undefined ? {} : { onMisbehaviour })
    },
    o.init.bitswap
  )
  o.stack.use(bitswap)
  const streams = await openStreams({ ...o, libp2p, connect: (...provider) => bitswap.connect(...provider) })
  return { exchange: bitswap, streams, exchangeStats: () => bitswap.stats() }
}

async function openStreams(o: {
  components: ContentComponents
  init: ContentInit
  libp2p: BitswapLibp2p
  store: BlockStore
  roots: RootIndex
  connect: DagStreamComponents['connect']
  flow: Flow
  stack: AsyncDisposableStack
}): Promise<DagStreams | undefined> {
  const { store, libp2p, connect, roots, flow, init } = o
  const { sockets, routing, clock, isDenied, onMisbehaviour } = o.components
  if (init.streams === 'off') return undefined
  const logger = o.components.logger.child('dag-stream')
  const grantOf = grantRule(roots, logger)
  const shared = { libp2p, store, sockets, connect, isDenied, flow, clock, logger, onMisbehaviour, grantOf }
  const streams = await startDagStreams(
    { ...shared, routing: routing === 'off' ? undefined : routing },
    init.streams
  )
  // A simulated node has its blocks in memory, and the clock of a simulation.
  const { blocks, startRehearsalNetwork: startNetwork } = o.components
  if (typeof blocks === 'string') o.stack.use(rehearseSoon({ clock, logger, startNetwork }))
  return o.stack.use(streams)
}

/** Answers whether a peer may have a block; any doubt is a no. */
function servingRule(roots: RootIndex, logger: Logger): (cid: CID, peerId: string) => Promise<boolean> {
  return async (cid, peerId) => {
    try {
      return await roots.mayServe(cid, () => readerOf(peerId))
    } catch (thrown) {
      logger.warn('could not decide whether to serve a block', { reason: errorMessage(thrown) })
      return false
    }
  }
}

/** The right of a peer to a block and what is below it; any doubt is none. */
function grantRule(
  roots: RootIndex,
  logger: Logger
): (cid: CID, peerId: string) => Promise<ServingGrant | undefined> {
  return async (cid, peerId) => {
    try {
      return await roots.grantOf(cid, () => readerOf(peerId))
    } catch (thrown) {
      logger.warn('could not decide whether to serve a DAG', { reason: errorMessage(thrown) })
      return undefined
    }
  }
}

/** Peers with other than Ed25519 keys have no did here, and so nothing can be shared with them alone. */
function readerOf(peerId: string): Did | undefined {
  try {
    return didFromPeerId(peerId)
  } catch {
    return undefined
  }
}
