import * as dagPb from '@ipld/dag-pb'
import type { CID } from 'multiformats/cid'
import { errorMessage } from '#contracts'
import type { Clock, Logger } from '#contracts'
import { createBlockSource } from './block-source.ts'
import type { BlockReader } from './block-source.ts'
import { cidOf, DAG_PB_CODEC, RAW_CODEC } from './cid.ts'
import { REHEARSAL_DELAY_MS } from './constants.ts'
import { walkDag } from './dag-walk.ts'
import { ContentError } from './errors.ts'
import type { BlockExchange } from './exchange.ts'
import { createMemoryBlockStore } from './memory-block-store.ts'
import type { BlockStore } from './block-store.ts'
import { rehearsedStreams } from './stream/index.ts'
import type { RehearsalNetwork } from './stream/index.ts'

/** Files that are made up, one after the other. */
interface Part {
  readonly files: number
  /** Of the block that is read first. */
  readonly links: number
  readonly leafBytes: number
}

/** Leaves that are there, of which the first is read. */
const LEAVES = 2
/** A root and its first leaf. */
const BLOCKS_READ = 2

/**
 * The engine compiles what has run often, and what runs once a fetch has run as often as there were fetches: the first have as many
 * links as a file of 1 GiB; the next have few, and leaves that come in many pieces; the
 * others are small, for they are many, and what is left of their memory an idle node keeps. All leaves of one are more than is asked ahead.
 */
const PARTS: readonly Part[] = [
  { files: 2, links: 1024, leafBytes: 128 * 1024 },
  { files: 8, links: 8, leafBytes: 250 * 1024 },
  { files: 10, links: 200, leafBytes: 40 * 1024 }
]

/** What a rehearsal works with. */
export interface RehearsalPowers {
  readonly clock: Clock
  readonly logger: Logger
  /** Starts what streams go over; absent, or where it fails, they stay in memory. */
  readonly startNetwork?: ((signal: AbortSignal) => Promise<RehearsalNetwork>) | undefined
}

/** Whether this process has rehearsed: what was compiled is there for all nodes in it. */
let isRehearsed = false

/** Rehearses a fetch once in the life of this process, when nothing else is to be started any more. */
export function rehearseSoon(powers: RehearsalPowers): AsyncDisposable {
  const stop = new AbortController()
  let work: Promise<unknown> = Promise.resolve()
  const timer = powers.clock.after(REHEARSAL_DELAY_MS, () => {
    if (isRehearsed) return
    isRehearsed = true
    work = rehearseFetch(powers, stop.signal).catch((thrown: unknown) => {
      if (!stop.signal.aborted) powers.logger.debug('no rehearsal', { reason: errorMessage(thrown) })
    })
  })
  return {
    [Symbol.asyncDispose]: async () => {
      timer[Symbol.dispose]()
      stop.abort(new ContentError('ERR_CONTENT_CLOSED', 'the node stops'))
      await work
    }
  }
}

/**
 * Fetches the first blocks of a made-up file from itself, over its own network: what a process does for the first time takes it
 * several times as long, most of it to compile, and whoever fetches first should not wait for that. Nothing is left of it.
 *
 * @returns how many blocks were read
 * @throws the reason of `signal`
 */
export async function rehearseFetch(powers: RehearsalPowers, signal: AbortSignal): Promise<number> {
  const [provider, store] = [createMemoryBlockStore(), createMemoryBlockStore()]
  await using network = await networkOf(powers, signal)
  await using streams = await rehearsedStreams({ ...powers, network, provider, store })
  const isDenied = (): boolean => false
  const source = createBlockSource({ ...powers, store, streams, exchange: NOBODY, isDenied }, DEADLINES)
  let read = 0
  for (const part of PARTS) {
    for (let index = 0; index < part.files; index++) {
      const root = await makeFile(provider, part, index)
      await using reader = source.read({ root, signal })
      const isRead = index % 2 === 0
      read += await readFirst(root, { reader, clock: powers.clock, isRead })
    }
  }
  return read
}

async function networkOf(
  { startNetwork, logger }: RehearsalPowers,
  signal: AbortSignal
): Promise<RehearsalNetwork | undefined> {
  try {
    return await startNetwork?.(signal)
  } catch (thrown) {
    signal.throwIfAborted()
    logger.debug('no network to rehearse on', { reason: errorMessage(thrown) })
    return undefined
  }
}

/** Where blocks are looked for that no stream brings. */
const NOBODY: BlockExchange = {
  verifiesBlocks: true,
  createSession: () => ({ fetch: absent, report: () => ({ ...NO_PROVIDERS }) }),
  fetch: absent,
  notify: () => undefined
}
const NO_PROVIDERS = { providersFound: 0, peersAsked: 0, peersUnreachable: 0, hasRouting: false }

async function absent(): Promise<never> {
  return await Promise.reject(new ContentError('ERR_CONTENT_NOT_FOUND', 'expected a stream to bring it'))
}

const DEADLINES = { findTimeoutMs: 10_000, stallTimeoutMs: 10_000 }

/** As a pin reads it, or as who writes it to a file, up to the first leaf. */
async function readFirst(
  root: CID,
  { reader, clock, isRead }: { reader: BlockReader; clock: Clock; isRead: boolean }
): Promise<number> {
  reader.follow(root)
  let read = 0
  const walk = walkDag(root, {
    clock,
    fetch: async (cid) => await reader.get(cid),
    hasLeaf: async (cid) => {
      if (!isRead) await reader.bring(cid)
      return !isRead
    }
  })
  for await (const _ of walk) if (++read === BLOCKS_READ) break
  return read
}

/** A block with links, of which the first lead somewhere. */
async function makeFile(store: BlockStore, { links, leafBytes }: Part, index: number): Promise<CID> {
  const cids: CID[] = []
  for (let leaf = 0; leaf < LEAVES; leaf++) {
    const bytes = Buffer.alloc(leafBytes, `${links} ${index} ${leaf} `)
    const cid = cidOf(RAW_CODEC, bytes)
    await store.put(cid, bytes, { isVerified: true })
    cids.push(cid)
  }
  for (let leaf = LEAVES; leaf < links; leaf++) cids.push(cidOf(RAW_CODEC, Buffer.from(`${leaf}`)))
  const Links = cids.map((Hash) => ({ Hash, Name: '', Tsize: leafBytes }))
  const root = dagPb.encode({ Data: new Uint8Array(links), Links })
  const cid = cidOf(DAG_PB_CODEC, root)
  await store.put(cid, root, { isVerified: true })
  return cid
}
