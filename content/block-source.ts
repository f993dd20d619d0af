import type { CID } from 'multiformats/cid'
import { errorCode, orAborted } from '#contracts'
import type { Clock, Logger } from '#contracts'
import { blockKey, checkCid, inlineBlock, matchesCid } from './cid.ts'
import { ContentError } from './errors.ts'
import { whyNotFound } from './not-found.ts'
import type { BlockStore } from './block-store.ts'
import type { BlockExchange, BlockSession } from './exchange.ts'
import type { AskedPart, DagFetch, DagStreams } from './stream/index.ts'

/** What blocks are got with. */
export interface BlockSourceComponents {
  store: BlockStore
  /** Absent: only what is stored here can be read. */
  exchange?: BlockExchange | undefined
  /** Asked before `exchange`; what its peers do not bring is left to that. */
  streams?: Pick<DagStreams, 'createFetch'> | undefined
  isDenied(cid: CID): boolean
  clock: Clock
  logger: Logger
}

/** Deadlines of a fetch. */
export interface BlockSourceInit {
  /** How long the first block may take. */
  findTimeoutMs: number
  /** How long each later block may take after the one before. */
  stallTimeoutMs: number
}

/** One reading of a DAG. */
export interface ReadInit {
  root: CID
  signal: AbortSignal
  /** Blocks that are fetched are stored to survive a power cut. */
  durable?: boolean
  /** False reads what is stored here and asks nobody. */
  network?: boolean
  /** Called for every block that came from a peer. */
  onFetched?: ((cid: CID, bytes: number) => void) | undefined
}

/**
 * Blocks of one DAG: from the store, else from peers, each hashed before anybody sees it. Disposing ends the
 * search and waits for what is under way; a second time does nothing more.
 */
export interface BlockReader extends AsyncDisposable {
  /**
   * @throws ContentError `ERR_CONTENT_DENIED`, `ERR_CONTENT_NO_PROVIDERS`, `ERR_ROUTING_OFF`,
   *   `ERR_PROVIDER_UNREACHABLE`, `ERR_CONTENT_NOT_FOUND`, `ERR_CONTENT_STALLED`, `ERR_BLOCK_MISMATCH`,
   *   `ERR_BLOCK_CORRUPT`, `ERR_DISK_FULL`, `ERR_STORE_IO`, `ERR_CID_UNSUPPORTED`
   */
  get(cid: CID): Promise<Uint8Array>
  /**
   * Resolves once the block is in the store: costs less than {@link get} for who does not read it.
   *
   * @throws ContentError as {@link get}
   */
  bring(cid: CID): Promise<void>
  /** All below this block is going to be read, depth first: what is not here may come before it is asked for. */
  follow(cid: CID): void
  /**
   * What is at the end of this path below the root is going to be read; of a file that is there only this range, where one
   * is given. The blocks on the way may come before they are asked for.
   */
  lead(part: AskedPart): void
  /** Blocks that came from peers until now. */
  readonly fetchedCount: number
}

/** Starts readings over one store and one exchange. */
export interface BlockSource {
  read(init: ReadInit): BlockReader
}

/** Joins a store and an exchange. */
export function createBlockSource(components: BlockSourceComponents, init: BlockSourceInit): BlockSource {
  return { read: (read) => new StoreThenPeers({ ...components, ...init, ...read }) }
}

class StoreThenPeers implements BlockReader {
  readonly #o: BlockSourceComponents & BlockSourceInit & ReadInit
  readonly #abort = new AbortController()
  /** Ends with the caller's wish, the watchdog or the disposal. */
  readonly #signal: AbortSignal
  readonly #running = new Map<string, Promise<Uint8Array>>()
  #session: BlockSession | undefined
  #stream: DagFetch | undefined
  #followed: CID | undefined
  #led: AskedPart | undefined
  #watchdog: Disposable | undefined
  /** Fetches that wait for a peer; the watchdog runs while there are some. */
  #waiting = 0
  fetchedCount = 0

  constructor(options: BlockSourceComponents & BlockSourceInit & ReadInit) {
    this.#o = options
    this.#signal = AbortSignal.any([options.signal, this.#abort.signal])
  }

  async get(cid: CID): Promise<Uint8Array> {
    this.#check(cid)
    return await this.#once(cid, async () => await this.#find(cid))
  }

  async bring(cid: CID): Promise<void> {
    this.#check(cid)
    if (inlineBlock(cid) !== undefined) return
    if (this.#stream?.brings(cid) !== true && (await this.#o.store.has(cid))) return
    const exchange = this.#exchange(cid)
    const isHere = await this.#waited(async () => {
      const stream = this.#openStream()
      return stream !== undefined && (await orAborted(stream.bring(cid), this.#signal))
    })
    if (!isHere) await this.#once(cid, async () => await this.#fetchElsewhere(cid, exchange))
  }

  follow(cid: CID): void {
    if (this.#followed?.equals(cid) === true) return
    this.#followed = cid
    this.#stream?.follow(cid)
  }

  lead(part: AskedPart): void {
    this.#led = part
    this.#stream?.lead(this.#o.root, part)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#watchdog?.[Symbol.dispose]()
    this.#abort.abort(new ContentError('ERR_CONTENT_CLOSED', 'the reading has ended'))
    await this.#stream?.[Symbol.asyncDispose]()
    await Promise.allSettled(this.#running.values())
  }

  #check(cid: CID): void {
    this.#signal.throwIfAborted()
    checkCid(cid)
    if (!this.#o.isDenied(cid)) return
    throw new ContentError('ERR_CONTENT_DENIED', `${cid.toString()} is on the deny list`)
  }

  /** Who asks for the same block at the same time shares the work. */
  async #once(cid: CID, task: () => Promise<Uint8Array>): Promise<Uint8Array> {
    const key = blockKey(cid)
    const known = this.#running.get(key)
    if (known !== undefined) return await known
    const work = task().finally(() => this.#running.delete(key))
    this.#running.set(key, work)
    return await work
  }

  get #isOnline(): boolean {
    return this.#o.network !== false && this.#o.exchange !== undefined
  }

  #exchange(cid: CID): BlockExchange {
    const { exchange, network = true } = this.#o
    if (network && exchange !== undefined) return exchange
    throw new ContentError('ERR_CONTENT_NOT_FOUND', `block ${cid.toString()} is not on this node`)
  }

  async #find(cid: CID): Promise<Uint8Array> {
    const { store, logger } = this.#o
    const held = this.#stream?.take(cid)
    if (held !== undefined) return held
    try {
      const bytes = this.#stream?.expects(cid) === true ? undefined : await store.get(cid)
      if (bytes !== undefined) return bytes
    } catch (thrown) {
      if (!this.#isOnline || errorCode(thrown) !== 'ERR_BLOCK_CORRUPT') throw thrown
      logger.warn('fetching a block again that was corrupt on disk', { cid: cid.toString() })
    }
    const exchange = this.#exchange(cid)
    const streamed = await this.#waited(async () => {
      const stream = this.#openStream()
      return stream === undefined ? undefined : await orAborted(stream.fetch(cid), this.#signal)
    })
    return streamed ?? (await this.#fetchElsewhere(cid, exchange))
  }

  /** The block by the exchange, when no peer streams it. */
  async #fetchElsewhere(cid: CID, exchange: BlockExchange): Promise<Uint8Array> {
    // Of what a stream was to bring it was not asked whether it is here.
    const held = this.#stream === undefined ? undefined : await this.#o.store.get(cid).catch(unlessCorrupt)
    if (held !== undefined) return held
    const bytes = await this.#waited(async () => {
      this.#session ??= exchange.createSession({ root: this.#o.root, signal: this.#signal })
      return await orAborted(this.#session.fetch(cid, { signal: this.#signal }), this.#signal)
    })
    if (!exchange.verifiesBlocks && !matchesCid(cid, bytes)) {
      throw new ContentError('ERR_BLOCK_MISMATCH', `a peer sent bytes that do not hash to ${cid.toString()}`)
    }
    await this.#o.store.put(cid, bytes, { isVerified: true, durable: this.#o.durable ?? false })
    this.#fetched(cid, bytes.length)
    return bytes
  }

  /** Waits for a peer, until the deadline of the next block. */
  async #waited<T>(task: () => Promise<T>): Promise<T> {
    if (this.#waiting++ === 0) this.#watch()
    try {
      return await task()
    } catch (thrown) {
      // Whatever shape an aborted exchange gives its error, the reason is ours.
      this.#signal.throwIfAborted()
      throw this.#named(thrown)
    } finally {
      this.#waiting--
      this.#watch()
    }
  }

  /** Peers that stream, who store what they bring themselves. */
  #openStream(): DagFetch | undefined {
    const { streams, root, durable = false } = this.#o
    if (streams === undefined) return undefined
    // What would be started now nobody would end.
    this.#signal.throwIfAborted()
    if (this.#stream === undefined) {
      this.#stream = streams.createFetch({ root, durable, onStored: (...stored) => this.#fetched(...stored) })
      if (this.#led !== undefined) this.#stream.lead(root, this.#led)
      if (this.#followed !== undefined) this.#stream.follow(this.#followed)
    }
    return this.#stream
  }

  #fetched(cid: CID, bytes: number): void {
    this.fetchedCount++
    this.#o.onFetched?.(cid, bytes)
    if (this.#waiting > 0) this.#watch()
  }

  /** The deadline of the next block; none runs while nobody waits, so that a slow disk is no stall. */
  #watch(): void {
    this.#watchdog?.[Symbol.dispose]()
    this.#watchdog = undefined
    if (this.#waiting === 0 || this.#signal.aborted) return
    const timeoutMs = this.fetchedCount === 0 ? this.#o.findTimeoutMs : this.#o.stallTimeoutMs
    this.#watchdog = this.#o.clock.after(timeoutMs, () => this.#abort.abort(this.#deadline(timeoutMs)))
  }

  #deadline(timeoutMs: number): ContentError {
    const { root } = this.#o
    if (this.fetchedCount > 0) {
      const text = `no block of ${root.toString()} came for ${timeoutMs} ms; ${this.fetchedCount} are kept`
      return new ContentError('ERR_CONTENT_STALLED', `${text}, run the same command to go on`)
    }
    return whyNotFound(root, this.#session?.report())
  }

  #named(thrown: unknown): unknown {
    const isNobody = errorCode(thrown) === 'ERR_CONTENT_NO_PROVIDERS'
    const report = this.#session?.report()
    return isNobody && report?.hasRouting === false ? whyNotFound(this.#o.root, report) : thrown
  }
}

/** A block that is corrupt on our disk is one that is not here. */
function unlessCorrupt(thrown: unknown): undefined {
  if (errorCode(thrown) !== 'ERR_BLOCK_CORRUPT') throw thrown
}
