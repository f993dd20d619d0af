import { MemoryDatastore } from 'datastore-core'
import type { CID } from 'multiformats/cid'
import { silentLogger, systemClock, systemRandom } from '#contracts'
import { createMemoryBlockStore, startContent } from '#content'
import type {
  BlockExchange,
  BlockSession,
  BlockStore,
  Content,
  ContentComponents,
  ContentInit
} from '#content'
import { createKeyPair, peerIdFromDid } from '#did'

/** A node whose blocks a {@link fakeExchange} can ask for. */
export interface ServingPeer {
  readonly store: BlockStore
  mayServe(cid: CID, peerId: string): Promise<boolean>
}

/** Content in memory with everything its test may want to look at. */
export interface Fixture extends AsyncDisposable {
  readonly content: Content
  readonly store: BlockStore
  readonly datastore: MemoryDatastore
  /** As others see it. */
  readonly peer: ServingPeer
  /** CIDs that were announced, in order. */
  readonly provided: string[]
}

/** A random PeerId of an Ed25519 key. */
export function randomPeerId(): string {
  return peerIdFromDid(createKeyPair(systemRandom).did)
}

/** Starts content in memory; `o` replaces components. */
export async function startFixture(
  o: Partial<ContentComponents> = {},
  init: ContentInit = {}
): Promise<Fixture> {
  const store = typeof o.blocks === 'object' ? o.blocks : createMemoryBlockStore()
  const datastore = (o.datastore as MemoryDatastore | undefined) ?? new MemoryDatastore()
  const provided: string[] = []
  const content = await startContent(
    {
      routing: {
        provide: async (cid) => {
          provided.push(cid.toString())
          await Promise.resolve()
        },
        findProviders: async function* () {
          // Nobody: tests fetch through an exchange.
        }
      },
      isDenied: () => false,
      clock: systemClock,
      random: systemRandom,
      logger: silentLogger,
      ...o,
      blocks: o.blocks ?? store,
      datastore
    },
    init
  )
  return {
    content,
    store,
    datastore,
    provided,
    peer: { store, mayServe: async (cid, peerId) => await content.mayServe(cid, peerId) },
    [Symbol.asyncDispose]: async () => await content[Symbol.asyncDispose]()
  }
}

/** An exchange over other nodes' stores, as their serving rule allows. */
export interface FakeExchange extends BlockExchange {
  /** CIDs that came over it, in order. */
  readonly fetched: string[]
  /** The most fetches that were under way at a time. */
  readonly mostAtOnce: () => number
}

/** How a {@link fakeExchange} behaves. */
export interface FakeExchangeInit {
  peerId?: string
  verifiesBlocks?: boolean
  /** Runs before each block is given; may wait or throw. */
  before?: (cid: CID, count: number) => Promise<void> | void
  /** Replaces the bytes of a block. */
  change?: (cid: CID, bytes: Uint8Array) => Uint8Array
  report?: Partial<ReturnType<BlockSession['report']>>
}

/** Makes an exchange that asks `peers` in order. A block that nobody gives is waited for until the signal aborts. */
export function fakeExchange(peers: readonly ServingPeer[], init: FakeExchangeInit = {}): FakeExchange {
  const fetched: string[] = []
  const peerId = init.peerId ?? randomPeerId()
  let running = 0
  let most = 0
  const find = async (cid: CID, signal: AbortSignal): Promise<Uint8Array> => {
    for (const peer of peers) {
      const bytes = (await peer.mayServe(cid, peerId)) ? await peer.store.get(cid) : undefined
      if (bytes === undefined) continue
      await init.before?.(cid, fetched.length)
      signal.throwIfAborted()
      fetched.push(cid.toString())
      return init.change?.(cid, bytes) ?? bytes
    }
    return await new Promise((_resolve, reject) => {
      signal.addEventListener('abort', () => reject(new Error('some other error')), { once: true })
    })
  }
  const fetch: BlockSession['fetch'] = async (cid, { signal }) => {
    most = Math.max(most, ++running)
    try {
      return await find(cid, signal)
    } finally {
      running--
    }
  }
  const report = { providersFound: 0, peersAsked: 0, peersUnreachable: 0, hasRouting: true, ...init.report }
  return {
    verifiesBlocks: init.verifiesBlocks ?? false,
    fetched,
    mostAtOnce: () => most,
    createSession: () => ({ fetch, report: () => report }),
    fetch,
    notify: () => undefined
  }
}

/** Bytes that do not compress and do not repeat, the same for the same seed. */
export function bytesOf(length: number, seed = 1): Uint8Array {
  const bytes = new Uint8Array(length)
  const words = new Uint32Array(bytes.buffer, 0, length >> 2)
  let state = seed >>> 0 || 1
  for (let index = 0; index < words.length; index++) {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    words[index] = state
  }
  return bytes
}

/** UTF-8. */
export function utf8(text: string): Uint8Array {
  return new TextEncoder().encode(text)
}
