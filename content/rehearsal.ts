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

/** Links of the block that is read: as many as a file of 1 GiB has in its first. */
const LINKS = 1024
/** Leaves that are there. */
const LEAVES = 2
const LEAF_BYTES = 256 * 1024
/** The engine goes on compiling what runs often: decoding 1,024 links takes a third in the sixth walk of what it took in the second. */
const ROUNDS = 4

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
 * @returns how many blocks came
 * @throws the reason of `signal`
 */
export async function rehearseFetch(powers: RehearsalPowers, signal: AbortSignal): Promise<number> {
  const provider = createMemoryBlockStore()
  const root = await makeFile(provider)
  await using network = await networkOf(powers, signal)
  let fetched = 0
  for (let round = 0; round < ROUNDS; round++) {
    fetched += await rehearseOnce({ ...powers, network, provider, signal }, root)
  }
  return fetched
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

async function rehearseOnce(
  o: RehearsalPowers & { network: RehearsalNetwork | undefined; provider: BlockStore; signal: AbortSignal },
  root: CID
): Promise<number> {
  const store = createMemoryBlockStore()
  await using streams = await rehearsedStreams({ ...o, store })
  const isDenied = (): boolean => false
  const source = createBlockSource({ ...o, store, streams, exchange: NOBODY, isDenied }, DEADLINES)
  await using reader = source.read({ root, signal: o.signal })
  await readFirst(root, reader, o.clock)
  return reader.fetchedCount
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

/** As a pin reads it, up to the last leaf that is there. */
async function readFirst(root: CID, reader: BlockReader, clock: Clock): Promise<void> {
  reader.follow(root)
  let left = LEAVES + 1
  const walk = walkDag(root, {
    clock,
    fetch: async (cid) => await reader.get(cid),
    hasLeaf: async (cid) => {
      await reader.bring(cid)
      return true
    }
  })
  for await (const _ of walk) if (--left === 0) return
}

/** A block with links, of which the first lead somewhere. */
async function makeFile(store: BlockStore): Promise<CID> {
  const cids: CID[] = []
  for (let index = 0; index < LINKS; index++) {
    const bytes = Buffer.alloc(index < LEAVES ? LEAF_BYTES : 8, `${index}`)
    const cid = cidOf(RAW_CODEC, bytes)
    if (index < LEAVES) await store.put(cid, bytes, { isVerified: true })
    cids.push(cid)
  }
  const Links = cids.map((Hash) => ({ Hash, Name: '', Tsize: LEAF_BYTES }))
  const root = dagPb.encode({ Data: new Uint8Array(LINKS), Links })
  const cid = cidOf(DAG_PB_CODEC, root)
  await store.put(cid, root, { isVerified: true })
  return cid
}
