import { errorMessage } from '#contracts'
import type { CID } from 'multiformats/cid'
import { RAW_CODEC, travels } from '../cid.ts'
import type { BlockStore } from '../block-store.ts'
import { linksOf } from '../dag-links.ts'
import { ContentError } from '../errors.ts'
import { Ahead } from './ahead.ts'
import { Slabs } from '../slabs.ts'
import type { Blame, Unanswered, VerifiedBlock } from './asking-channel.ts'
import { ASK_ROOTS_MAX, EXPECTED_BLOCKS_MAX, RECEIVE_SLABS_KEPT_MAX, SLAB_BYTES } from './constants.ts'
import type { StreamLimits } from './constants.ts'
import type { AskedPart, Source, SourceEvents } from './source.ts'
import { Sources, type SourcesComponents } from './sources.ts'
import { Waiters } from './waiters.ts'
import { stepKey } from './walk.ts'

/** What a fetch works with. */
export interface DagFetchComponents extends SourcesComponents {
  readonly store: BlockStore
  isDenied(cid: CID): boolean
}

/** What is fetched. */
export interface DagFetchInit {
  readonly root: CID
  /** Blocks are to survive a power cut, after the next flush. */
  readonly durable: boolean
  /** A block that came is in the store. */
  onStored(this: void, cid: CID, bytes: number): void
}

interface Wanted {
  readonly cid: CID
  readonly below: boolean
  /** Only this of what is below; asked alone. */
  readonly part?: AskedPart
}

/**
 * Fetches the blocks of one DAG from peers that speak the protocol, and stores them. Whoever reads says what it needs
 * next; what it has announced to {@link follow} comes unasked, depth first, a bounded number of bytes ahead of it.
 *
 * Every block that is still to come is in `#expected`, and is then in the frontier or in the walk of some source.
 */
export class DagFetch implements AsyncDisposable, SourceEvents {
  readonly memory: Slabs = new Slabs({ slabBytes: SLAB_BYTES, keptMax: RECEIVE_SLABS_KEPT_MAX })
  readonly #components: DagFetchComponents
  readonly #limits: StreamLimits
  readonly #init: DagFetchInit
  readonly #sources: Sources
  readonly #expected = new Set<string>()
  /** To be asked; the next is the last. */
  readonly #frontier: Wanted[] = []
  readonly #waiters = new Waiters()
  readonly #ahead: Ahead
  /** Bytes stored whose sources may send no more until somebody takes what is here. */
  #withheld: { source: Source; bytes: number }[] = []
  #isFollowing = false
  /** Asked alone before it was announced to be followed: what is below it is asked for when it comes. */
  #followed: string | undefined
  #isAdvancing = false
  #isAdvanceWanted = false
  #sweeping: Disposable | undefined
  #lastBlockMs: number
  #failure: { readonly reason: unknown } | undefined
  #hasEnded = false

  constructor(components: DagFetchComponents, init: DagFetchInit, limits: StreamLimits) {
    this.#components = components
    this.#init = init
    this.#limits = limits
    this.#lastBlockMs = components.clock.monotonicMs()
    const sources = { root: init.root, events: this, onChanged: () => this.#advance() }
    this.#sources = new Sources(components, sources, limits)
    this.#ahead = new Ahead({
      clock: components.clock,
      store: components.store,
      durable: init.durable,
      bytesMax: limits.aheadBytesMax,
      onFailed: (reason) => this.#fail(reason)
    })
  }

  /** All below this block will be read, depth first. */
  follow(cid: CID): void {
    const isAskedAlone = !this.#isFollowing
    this.#isFollowing = true
    const key = stepKey(cid)
    if (this.#isExpected(key)) {
      if (isAskedAlone) this.#followed = key
      return
    }
    const bytes = this.#ahead.peek(key)
    if (bytes === undefined) this.#want({ cid, below: true })
    else {
      this.#enter(cid, bytes)
      this.#advance()
    }
  }

  /**
   * The entry at the end of this path will be read, or of the file that is there this range: the blocks that lead to
   * it come, and those of the range. What does not come so is fetched as it is read.
   */
  lead(cid: CID, part: AskedPart): void {
    if (this.expects(cid)) return
    this.#want({ cid, below: part.range !== undefined, part })
  }

  /** Whether this block is on its way. */
  expects(cid: CID): boolean {
    return this.#isExpected(stepKey(cid))
  }

  #isExpected(key: string): boolean {
    if (this.#expected.has(key)) return true
    this.#sources.readLinks()
    return this.#expected.has(key)
  }

  /** A block that has come and was not taken. */
  take(cid: CID): Uint8Array | undefined {
    const bytes = this.#ahead.take(stepKey(cid))
    if (bytes !== undefined) this.#settle()
    return bytes
  }

  /**
   * The block; `undefined` when no peer that speaks the protocol brings it, or none does soon: then it has to be
   * looked for elsewhere.
   *
   * @throws what the store throws
   */
  async fetch(cid: CID): Promise<Uint8Array | undefined> {
    this.#throwIfFailed()
    const held = this.take(cid)
    return held !== undefined || this.#hasEnded ? held : await this.#wait(cid, true)
  }

  /** Whether this block is on its way, or here and not yet stored. */
  brings(cid: CID): boolean {
    return this.expects(cid) || this.#ahead.has(stepKey(cid))
  }

  /**
   * Resolves once the block is in the store, for who has no use for its bytes; `false` where {@link fetch} would resolve
   * with nothing.
   *
   * @throws what the store throws
   */
  async bring(cid: CID): Promise<boolean> {
    this.#throwIfFailed()
    const key = stepKey(cid)
    if (!this.#ahead.has(key)) {
      if (this.#hasEnded || (await this.#wait(cid, false)) === undefined) return false
    }
    const stored = this.#ahead.stored(key)
    this.#settle()
    await stored
    this.#throwIfFailed()
    return true
  }

  #throwIfFailed(): void {
    if (this.#failure !== undefined) throw this.#failure.reason
  }

  async #wait(cid: CID, isRead: boolean): Promise<Uint8Array | undefined> {
    const key = stepKey(cid)
    const known = this.#waiters.join(key, isRead)
    if (known !== undefined) return await known
    const answered = this.#waiters.add(key, { isRead, sinceMs: this.#components.clock.monotonicMs() })
    if (!this.#isExpected(key)) this.#want({ cid, below: this.#isFollowing })
    this.#settle()
    this.#watch()
    return await answered
  }

  #watch(): void {
    this.#sweeping ??= this.#components.clock.every(this.#limits.sweepIntervalMs, () => this.#sweep())
  }

  onBlock(source: Source, { cid, bytes, keysBelow, release }: VerifiedBlock): void {
    const key = stepKey(cid)
    this.#lastBlockMs = this.#components.clock.monotonicMs()
    if (!this.#expected.delete(key) || this.#components.isDenied(cid)) {
      source.release(bytes.length)
      release?.()
      return
    }
    for (const next of keysBelow) this.#expect(next)
    if (key === this.#followed && keysBelow.length === 0) this.#enter(cid, bytes)
    if (this.#ahead.has(key)) {
      // Named again meanwhile, it came again: what is being stored is the one that came first.
      source.release(bytes.length)
      release?.()
      if (keysBelow.length > 0) this.#advance()
      return
    }
    const onStored = (): void => {
      this.#init.onStored(cid, bytes.length)
      this.#withheld.push({ source, bytes: bytes.length })
      this.#settle()
    }
    this.#ahead.add({ cid, key, bytes, taken: this.#waiters.wants(key), release, onStored })
    this.#answer(key, bytes)
    // There may be something to share now.
    if (keysBelow.length > 0) this.#advance()
  }

  onBelow(_source: Source, keys: readonly string[]): void {
    for (const key of keys) this.#expect(key)
    if (keys.length > 0 && !this.#hasEnded) this.#watch()
    this.#advance()
  }

  onAbsent(source: Source, cid: CID): void {
    this.#sources.noteLack(source.peerId, stepKey(cid))
    if (this.expects(cid)) this.#frontier.push({ cid, below: this.#isFollowing })
    this.#advance()
  }

  onHandedBack(_source: Source, left: Unanswered): void {
    this.#putBack(left)
    this.#advance()
  }

  onRoom(): void {
    this.#advance()
  }

  onEnd(source: Source, end: { left: readonly Unanswered[]; cause: Error; blame: Blame | undefined }): void {
    for (const left of end.left.toReversed()) this.#putBack(left)
    this.#withheld = this.#withheld.filter((withheld) => withheld.source !== source)
    this.#sources.lose(source, end)
    this.#advance()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#end()
    await this.#ahead.settled()
  }

  #end(): void {
    this.#hasEnded = true
    this.#sweeping?.[Symbol.dispose]()
    this.#sources[Symbol.dispose]()
    for (const key of this.#waiters.keys()) this.#answer(key, undefined)
    this.#frontier.length = 0
    this.#expected.clear()
  }

  #fail(reason: unknown): void {
    this.#failure ??= { reason }
    this.#waiters.fail(reason)
    this.#end()
  }

  #want(wanted: Wanted): void {
    this.#expect(stepKey(wanted.cid))
    this.#frontier.push(wanted)
    this.#sources.seek()
    this.#advance()
  }

  #expect(key: string): void {
    if (this.#expected.size < EXPECTED_BLOCKS_MAX) this.#expected.add(key)
    else
      this.#fail(new ContentError('ERR_CONTENT_TOO_LARGE', `more than ${EXPECTED_BLOCKS_MAX} blocks ahead`))
  }

  #putBack({ cids, below }: Unanswered): void {
    for (const cid of cids.toReversed()) this.#frontier.push({ cid, below })
  }

  #answer(key: string, bytes: Uint8Array | undefined): void {
    this.#waiters.answer(key, bytes)
    // Blocks that come fast leave nobody waiting between them, and still someone has to look.
    if (this.#waiters.size > 0 || this.#expected.size > 0) return
    this.#sweeping?.[Symbol.dispose]()
    this.#sweeping = undefined
  }

  /** Lets sources send more, unless too much is here that nobody takes. */
  #settle(): void {
    if (this.#withheld.length === 0) return
    if (this.#ahead.isFull) {
      if (this.#waiters.size === 0) return
      this.#ahead.evict()
    }
    for (const { source, bytes } of this.#withheld.splice(0)) source.release(bytes)
  }

  #advance(): void {
    this.#isAdvanceWanted = true
    if (this.#isAdvancing) return
    this.#isAdvancing = true
    void this.#advanceAll()
  }

  async #advanceAll(): Promise<void> {
    try {
      while (this.#isAdvanceWanted && !this.#hasEnded) {
        this.#isAdvanceWanted = false
        // Fetches of the same moment make one ask.
        await Promise.resolve()
        await this.#share()
      }
    } catch (thrown) {
      this.#components.logger.debug('a fetch failed', { reason: errorMessage(thrown) })
      this.#fail(thrown)
    } finally {
      this.#isAdvancing = false
    }
  }

  /** Asks what is to be asked of whoever has room. */
  async #share(): Promise<void> {
    for (const source of this.#sources.byLoad()) {
      for (;;) {
        const next = this.#frontier.at(-1)
        if (next === undefined || !source.hasRoomFor(next.below)) break
        const { below, part } = next
        const roots = await this.#compose(source, next)
        if (roots.length === 0) break
        source.ask({ roots, below, ...part })
      }
    }
    this.#giveUpLost()
    if (this.#frontier.length === 0) this.#sources.steal()
  }

  /** Takes from the frontier what is to be asked of this source next. */
  async #compose(source: Source, { below, part }: Wanted): Promise<CID[]> {
    const alone = part === undefined ? Infinity : 1
    const share = below ? Math.ceil(this.#frontier.length / Math.max(1, this.#sources.size)) : ASK_ROOTS_MAX
    const roots: CID[] = []
    const passed: Wanted[] = []
    while (roots.length < Math.min(share, ASK_ROOTS_MAX, alone)) {
      const wanted = this.#frontier.at(-1)
      if (wanted?.below !== below || wanted.part !== part) break
      this.#frontier.pop()
      const key = stepKey(wanted.cid)
      if (!this.#expected.has(key)) continue
      if (this.#sources.lacks(source.peerId, key)) passed.push(wanted)
      else if (!(await this.#enterHeld(wanted, key))) roots.push(wanted.cid)
    }
    this.#frontier.push(...passed.reverse())
    return roots
  }

  /** A block that is stored here is not asked for; what is below it may be. */
  async #enterHeld({ cid, below, part }: Wanted, key: string): Promise<boolean> {
    const { store } = this.#components
    if (!(below || part !== undefined) || !(await store.has(cid))) return false
    const isRead = cid.code !== RAW_CODEC || this.#waiters.has(key)
    const bytes = isRead ? await store.get(cid).catch(() => undefined) : undefined
    if (isRead && bytes === undefined) return false
    this.#expected.delete(key)
    if (bytes === undefined) return true
    this.#answer(key, bytes)
    // Of a part only its reader knows what comes next.
    if (part === undefined) this.#enter(cid, bytes)
    return true
  }

  /** All that a block links to is to be asked. */
  #enter(cid: CID, bytes: Uint8Array): void {
    const links = linksOf(cid, bytes).filter(travels)
    for (const link of links) this.#expect(stepKey(link))
    this.#putBack({ cids: links, below: true })
  }

  /** What no peer has is not waited for. */
  #giveUpLost(): void {
    const { isHopeless } = this.#sources
    for (let index = this.#frontier.length - 1; index >= 0; index--) {
      const { cid } = this.#frontier[index] as Wanted
      const key = stepKey(cid)
      if (!isHopeless(key)) continue
      this.#frontier.splice(index, 1)
      this.#expected.delete(key)
    }
    for (const key of this.#waiters.keys()) {
      if (!this.#expected.has(key)) this.#answer(key, undefined)
    }
  }

  #sweep(): void {
    const nowMs = this.#components.clock.monotonicMs()
    for (const left of this.#sources.late(nowMs, this.#frontier.length === 0)) this.#putBack(left)
    const { patienceMs } = this.#limits
    const isQuiet = nowMs - this.#lastBlockMs > patienceMs
    for (const key of this.#waiters.impatient({ nowMs, patienceMs, isQuiet })) {
      if (this.#sources.mayLookElsewhere) this.#answer(key, undefined)
    }
    this.#advance()
  }
}
