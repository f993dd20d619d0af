import type { CID } from 'multiformats/cid'
import { errorMessage, orAborted } from '#contracts'
import type { Clock, Random } from '#contracts'
import { cidOf, DAG_CBOR_CODEC, RAW_CODEC } from './cid.ts'
import { collectGarbage } from './collect-garbage.ts'
import { ANNOUNCE_WAIT_MS, ENTRIES_MAX, SMALL_BLOCK_BYTES_MAX } from './constants.ts'
import { ContentError } from './errors.ts'
import { blocksOfDag } from './dag-blocks.ts'
import { importEntries } from './file-entries.ts'
import { TreeGetter } from './get-tree.ts'
import { keepRoot, pinOf, visibilityOf } from './keep-root.ts'
import { importTree } from './local-tree.ts'
import { listTree, readFile, readFiles } from './read-tree.ts'
import { StoreRepo } from './repo.ts'
import { SEALED_KEY_BYTES, sealedLink, sealTree } from './sealed/index.ts'
import type { Repo } from './repo.ts'
import type { Announcer } from './announcer.ts'
import type { BitswapStats } from './bitswap/index.ts'
import type { BlockReader, BlockSource } from './block-source.ts'
import type { BlockStore } from './block-store.ts'
import type { CollectResult } from './collect-garbage.ts'
import type { DagBlock } from './dag-blocks.ts'
import type {
  AddOptions,
  AddResult,
  Announcement,
  Content,
  ContentStatus,
  Entry,
  GetOptions
} from './content.ts'
import type { ByteSpan, GetResult, Pin, PinOptions, ReadOptions } from './content.ts'
import type { BlockExchange } from './exchange.ts'
import type { FileEntry } from './file-entries.ts'
import type { Flow } from './flow/index.ts'
import type { FilePowers } from './files.ts'
import type { Gate } from './gate.ts'
import type { Skipped } from './local-tree.ts'
import type { RootIndex } from './root-index.ts'
import type { Root } from './root-record.ts'
import type { UnfinishedGets } from './unfinished-gets.ts'

/** The parts that `startContent` joins. */
export interface NodeContentParts {
  store: BlockStore
  files: FilePowers
  roots: RootIndex
  unfinished: UnfinishedGets
  source: BlockSource
  exchange: BlockExchange | undefined
  /** Absent: content routing is off. */
  announcer: Announcer | undefined
  gate: Gate
  /** Never added; see `ContentComponents`. */
  protectedFolders: readonly string[]
  exchangeStats: (() => BitswapStats) | undefined
  flow: Flow
  isDenied(cid: CID): boolean
  clock: Clock
  random: Random
  mayServe(cid: CID, peerId: string): Promise<boolean>
  /** All of the above that runs; disposed with the content. */
  running: AsyncDisposable
}

interface Added {
  readonly cid: CID
  readonly bytes: number
  readonly files: number
  readonly skipped: readonly Skipped[]
  readonly link?: string
}

/** {@link Content} over the parts of a node. */
export class NodeContent implements Content {
  readonly #parts: NodeContentParts
  readonly #getter: TreeGetter
  readonly repo: Repo
  #isCollecting = false

  constructor(parts: NodeContentParts) {
    this.#parts = parts
    this.#getter = new TreeGetter(parts)
    this.repo = new StoreRepo({ ...parts, pin: async (cid, options) => (await this.pin(cid, options)).pin })
  }

  /** Begins to announce every public root; each logs its own failures. */
  announceAll(): void {
    const roots = [...this.#parts.roots.all()]
    this.#parts.announcer?.start(roots.filter(({ isPublic }) => isPublic).map(({ cid }) => cid))
  }

  async add(path: string, options: AddOptions = {}): Promise<AddResult> {
    return await this.#add(options, async (signal) => {
      const { files, store, protectedFolders } = this.#parts
      const { hidden = false, onProgress } = options
      const limits = { entriesMax: ENTRIES_MAX, signal, onProgress }
      const tree = await importTree(path, { files, store, protectedFolders, hidden, ...limits })
      return options.sealed === true ? await this.#seal(tree, signal) : tree
    })
  }

  async addFiles(
    entries: Iterable<FileEntry> | AsyncIterable<FileEntry>,
    options: AddOptions = {}
  ): Promise<AddResult> {
    return await this.#add(options, async (signal) => {
      const { store } = this.#parts
      const tree = {
        ...(await importEntries(entries, { store, entriesMax: ENTRIES_MAX, signal })),
        skipped: []
      }
      return options.sealed === true ? await this.#seal(tree, signal) : tree
    })
  }

  async get(cidPath: string, options: GetOptions): Promise<GetResult> {
    using visit = await this.#parts.gate.enter(options.signal)
    return await this.#getter.get(cidPath, options, visit.signal)
  }

  async read(cid: CID, path: string, options: ReadOptions & { range?: ByteSpan }): Promise<Uint8Array> {
    using visit = await this.#parts.gate.enter(options.signal)
    await using reader = this.#reader(cid, visit.signal)
    const { bytesMax, range } = options
    return await readFile({ reader, root: cid, path, bytesMax, range })
  }

  async *list(cid: CID, path: string, options: { signal?: AbortSignal } = {}): AsyncGenerator<Entry> {
    using visit = await this.#parts.gate.enter(options.signal, 'stream')
    await using reader = this.#reader(cid, visit.signal)
    yield* listTree({ reader, root: cid, path, platform: this.#parts.files.platform })
  }

  async *readFiles(
    cid: CID,
    options: ReadOptions & { filesMax: number }
  ): AsyncGenerator<{ readonly path: string; readonly content: Uint8Array }> {
    using visit = await this.#parts.gate.enter(options.signal, 'stream')
    await using reader = this.#reader(cid, visit.signal)
    const { bytesMax, filesMax } = options
    yield* readFiles({ reader, root: cid, bytesMax, filesMax })
  }

  async pin(cid: CID, options: PinOptions = {}): Promise<{ pin: Pin; announcement: Announcement }> {
    using visit = await this.#parts.gate.enter(options.signal)
    const bound = fetchBound(options.bytesMax)
    const signal = AbortSignal.any([visit.signal, bound.signal])
    await using reader = this.#parts.source.read({
      root: cid,
      signal,
      durable: true,
      onFetched: bound.onFetched
    })
    const before = this.#parts.roots.get('dag', cid)
    const saysNothing = options.private === undefined && options.readers === undefined
    const root = await keepRoot(this.#parts, {
      cid,
      kind: 'dag',
      ...(before !== undefined && saysNothing ? before : visibilityOf(options)),
      name: options.name,
      reader,
      onBlock: (blocks) => options.onProgress?.({ blocks, blocksFetched: reader.fetchedCount })
    })
    return { pin: pinOf(root), announcement: await this.#announce(root, visit.signal) }
  }

  async unpin(cid: CID): Promise<void> {
    const { roots, announcer } = this.#parts
    const removed = [await roots.remove('dag', cid), await roots.remove('block', cid)]
    if (removed.every((root) => root === undefined)) {
      throw new ContentError('ERR_PIN_NOT_FOUND', `${cid.toString()} is not pinned`)
    }
    announcer?.remove(cid)
  }

  async *pins(): AsyncGenerator<Pin> {
    for (const root of [...this.#parts.roots.all()]) yield await Promise.resolve(pinOf(root))
  }

  pinned(cid: CID): Pin | undefined {
    const root = this.#parts.roots.get('dag', cid)
    return root === undefined ? undefined : pinOf(root)
  }

  async *blocksOf(cid: CID, options: { signal?: AbortSignal } = {}): AsyncGenerator<DagBlock> {
    const { gate, source, store } = this.#parts
    using visit = await gate.enter(options.signal, 'stream')
    await using reader = source.read({ root: cid, signal: visit.signal, network: false })
    yield* blocksOfDag(cid, { store, reader })
  }

  takeDemand(cid: CID): number {
    return this.#parts.roots.takeDemand(cid)
  }

  async localBlock(cid: CID): Promise<Uint8Array | undefined> {
    using _visit = await this.#parts.gate.enter()
    return await this.#parts.store.get(cid)
  }

  async getBlock(cid: CID, options: { signal?: AbortSignal } = {}): Promise<Uint8Array> {
    using visit = await this.#parts.gate.enter(options.signal)
    await using reader = this.#reader(cid, visit.signal)
    const bytes = await reader.get(cid)
    checkSmall(bytes)
    return bytes
  }

  async putBlock(
    bytes: Uint8Array,
    options: { codec: 'raw' | 'dag-cbor'; public?: boolean; name?: string; signal?: AbortSignal }
  ): Promise<{ cid: CID; announcement: Announcement }> {
    checkSmall(bytes)
    using visit = await this.#parts.gate.enter(options.signal)
    const cid = cidOf(options.codec === 'raw' ? RAW_CODEC : DAG_CBOR_CODEC, bytes)
    await this.#parts.store.put(cid, bytes, { durable: true, isVerified: true })
    await using reader = this.#reader(cid, visit.signal)
    const root = await keepRoot(this.#parts, {
      cid,
      kind: 'block',
      isPublic: options.public === true || this.#parts.roots.get('block', cid)?.isPublic === true,
      readers: [],
      name: options.name,
      bytes: bytes.length,
      reader
    })
    return { cid, announcement: await this.#announce(root, visit.signal) }
  }

  async provideNow(cid: CID, options: { signal?: AbortSignal } = {}): Promise<void> {
    const { gate, announcer } = this.#parts
    using visit = await gate.enter(options.signal)
    if (!this.#isPublic(cid))
      throw new ContentError('ERR_PIN_NOT_FOUND', `${cid.toString()} is no public pin`)
    if (announcer === undefined) throw new ContentError('ERR_ROUTING_OFF', 'content routing is off')
    await orAborted(announcer.add(cid), visit.signal)
  }

  hurryAnnouncements(): void {
    this.#parts.announcer?.hurry()
  }

  async gc(options: { signal?: AbortSignal } = {}): Promise<CollectResult> {
    if (this.#isCollecting) throw new ContentError('ERR_CONTENT_BUSY', 'a garbage collection runs already')
    this.#isCollecting = true
    try {
      using visit = await this.#parts.gate.enter(options.signal)
      return await collectGarbage({ ...this.#parts, signal: visit.signal })
    } finally {
      this.#isCollecting = false
    }
  }

  async mayServe(cid: CID, peerId: string): Promise<boolean> {
    return await this.#parts.mayServe(cid, peerId)
  }

  status(): ContentStatus {
    const roots = [...this.#parts.roots.all()]
    const publicPins = roots.filter((root) => root.isPublic).length
    return {
      pins: roots.length,
      publicPins,
      announcements: this.#parts.announcer?.counts(publicPins) ?? { announced: 0, waiting: 0 },
      exchange: this.#parts.exchangeStats?.(),
      flow: this.#parts.flow.status()
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#parts.running[Symbol.asyncDispose]()
  }

  #isPublic(cid: CID): boolean {
    const { roots } = this.#parts
    return roots.get('dag', cid)?.isPublic === true || roots.get('block', cid)?.isPublic === true
  }

  #reader(root: CID, signal: AbortSignal): BlockReader {
    return this.#parts.source.read({ root, signal })
  }

  async #add(options: AddOptions, importAll: (signal: AbortSignal) => Promise<Added>): Promise<AddResult> {
    const { gate, roots, source } = this.#parts
    using visit = await gate.enter(options.signal)
    const { cid, bytes, files, skipped, link } = await importAll(visit.signal)
    await using reader = source.read({ root: cid, signal: visit.signal, network: false })
    // What is public was made so by the user; adding it again in private would break links given away.
    const wasPublic = roots.get('dag', cid)?.isPublic === true
    const visibility = wasPublic ? { isPublic: true, readers: [] } : visibilityOf(options)
    const root = await keepRoot(this.#parts, {
      cid,
      kind: 'dag',
      ...visibility,
      name: options.name,
      bytes,
      reader
    })
    const announcement = await this.#announce(root, visit.signal)
    return { cid, bytes, files, skipped, link, isPublic: root.isPublic, announcement }
  }

  /**
   * Seals a tree that was just imported. Its plain blocks lie under no root: no peer is served them, and they go with the next
   * collection.
   */
  async #seal(tree: Added, signal: AbortSignal): Promise<Added> {
    const { random, source, store } = this.#parts
    const [key, salt] = [random.bytes(SEALED_KEY_BYTES), random.bytes(SEALED_KEY_BYTES)]
    await using reader = source.read({ root: tree.cid, signal, network: false })
    const cid = await sealTree(tree.cid, { key, salt, store, fetch: async (one) => await reader.get(one) })
    return { ...tree, cid, link: sealedLink(cid, key) }
  }

  /** Tells the network of a root that is public now, or no longer of one that is not; waits a little for it. */
  async #announce(root: Root, signal: AbortSignal): Promise<Announcement> {
    const { announcer, exchange, clock } = this.#parts
    if (!this.#isPublic(root.cid)) announcer?.remove(root.cid)
    if (!root.isPublic || announcer === undefined) return { state: 'off' }
    exchange?.notify(root.cid)
    const attempt = announcer.add(root.cid)
    const late = Promise.withResolvers<Announcement>()
    using _timer = clock.after(ANNOUNCE_WAIT_MS, () => {
      late.resolve({ state: 'pending', reason: 'the network has not answered yet' })
    })
    try {
      const announced = attempt.then((): Announcement => ({ state: 'announced' }))
      return await orAborted(Promise.race([announced, late.promise]), signal)
    } catch (thrown) {
      signal.throwIfAborted()
      return { state: 'pending', reason: errorMessage(thrown) }
    }
  }
}

/** Ends a reading whose peers bring more than `bytesMax`. */
function fetchBound(bytesMax = Infinity): {
  readonly signal: AbortSignal
  readonly onFetched: (cid: CID, bytes: number) => void
} {
  const exceeded = new AbortController()
  let fetched = 0
  const onFetched = (cid: CID, bytes: number): void => {
    fetched += bytes
    if (fetched <= bytesMax) return
    exceeded.abort(
      new ContentError(
        'ERR_CONTENT_TOO_LARGE',
        `expected at most ${bytesMax} bytes, got more at ${cid.toString()}`
      )
    )
  }
  return { signal: exceeded.signal, onFetched }
}

function checkSmall(bytes: Uint8Array): void {
  if (bytes.length <= SMALL_BLOCK_BYTES_MAX) return
  throw new ContentError(
    'ERR_BLOCK_TOO_LARGE',
    `expected a block of at most ${SMALL_BLOCK_BYTES_MAX} bytes and got ${bytes.length}`
  )
}
