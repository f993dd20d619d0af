import { errorMessage } from '#contracts'
import type { CID } from 'multiformats/cid'
import { PeerSearch } from '../bitswap/peer-search.ts'
import type { PeerSearchComponents } from '../bitswap/peer-search.ts'
import type { Blame, Unanswered } from './asking-channel.ts'
import { LACKS_PER_PEER_MAX, LOSSES_PER_PEER_MAX } from './constants.ts'
import type { StreamLimits } from './constants.ts'
import { Source } from './source.ts'
import type { SourceComponents, SourceEvents } from './source.ts'

/** What providers are found and asked with. */
export interface SourcesComponents
  extends SourceComponents, Omit<PeerSearchComponents, 'isWelcome' | 'onConnected'> {
  /** Connected peers that speak the protocol: asked where there is no routing to name providers. */
  connectedPeers(): Iterable<string>
  /** Not ourselves, not one that misbehaved. */
  isAcceptable(peerId: string): boolean
  /** A peer broke the protocol. */
  onBlame(this: void, peerId: string, blame: Blame): void
}

/** The providers of one fetch: finds them, connects to them, and knows who lacks what. */
export class Sources implements Disposable {
  readonly #components: SourcesComponents
  readonly #init: { root: CID; events: SourceEvents; onChanged: () => void }
  readonly #limits: StreamLimits
  readonly #search: PeerSearch
  readonly #open = new Map<string, Source>()
  readonly #opening = new Map<string, Source>()
  /** Peers that cannot help, or not any more. */
  readonly #excluded = new Set<string>()
  readonly #losses = new Map<string, number>()
  readonly #lacks = new Map<string, Set<string>>()
  readonly #stop = new AbortController()
  /** Providers that are connected and speak another protocol only. */
  #others = 0
  #state: 'new' | 'seeking' | 'over' = 'new'

  constructor(
    components: SourcesComponents,
    init: { root: CID; events: SourceEvents; onChanged: () => void },
    limits: StreamLimits
  ) {
    this.#components = components
    this.#init = init
    this.#limits = limits
    this.#search = new PeerSearch(
      {
        ...components,
        isWelcome: (peerId) => this.#isWelcome(peerId),
        onConnected: (peerId) => void this.#connect(peerId)
      },
      limits
    )
  }

  /** Providers that can be asked. */
  get size(): number {
    return this.#open.size
  }

  /** Whether it makes sense to look elsewhere: a provider was met, of whatever kind, or none is being sought. */
  get mayLookElsewhere(): boolean {
    return this.#state === 'over' || this.#open.size > 0 || this.#others > 0
  }

  /** Begins to look for providers, once. */
  seek(): void {
    if (this.#state !== 'new') return
    this.#state = 'seeking'
    void this.#seek()
  }

  /** Those that can be asked, who has least to do first. */
  byLoad(): Source[] {
    return [...this.#open.values()].sort((a, b) => a.size - b.size)
  }

  /** Has all of them tell of all that will come. */
  readLinks(): void {
    for (const source of this.#open.values()) source.readLinks()
  }

  /** That peer does not have that block. */
  noteLack(peerId: string, key: string): void {
    const lacks = this.#lacks.get(peerId) ?? new Set<string>()
    if (lacks.size >= LACKS_PER_PEER_MAX) lacks.clear()
    this.#lacks.set(peerId, lacks.add(key))
  }

  /** Whether it said that it does not have that block. */
  lacks(peerId: string, key: string): boolean {
    return this.#lacks.get(peerId)?.has(key) === true
  }

  /** Whether nobody is left who could bring that block. */
  readonly isHopeless = (key: string): boolean => {
    const isAwaited = this.#opening.size > 0 || (this.#state !== 'over' && this.#others === 0)
    if (isAwaited) return false
    for (const peerId of this.#open.keys()) if (!this.lacks(peerId, key)) return false
    return true
  }

  /** Takes half of the work of who has most, for one who has none. */
  steal(): void {
    const sources = [...this.#open.values()]
    if (!sources.some(({ isIdle }) => isIdle)) return
    let richest: Source | undefined
    for (const source of sources) {
      if (source.isDivisible && source.size > (richest?.size ?? 1)) richest = source
    }
    richest?.split()
  }

  /**
   * What is to be asked of others because who owes it is slow, when there is somebody with nothing to do. Those who
   * send nothing for too long are left.
   */
  late(nowMs: number, isNothingElse: boolean): Unanswered[] {
    const left: Unanswered[] = []
    const isSomebodyFree = isNothingElse && this.byLoad().some(({ isIdle }) => isIdle)
    for (const source of [...this.#open.values()]) {
      if (!source.owes) continue
      if (nowMs - source.lastBytesMs > this.#limits.stallTimeoutMs) {
        const cause = new Error(`no bytes for ${this.#limits.stallTimeoutMs} ms`)
        this.#excluded.add(source.peerId)
        const unanswered = source.unanswered()
        source[Symbol.dispose]()
        this.#init.events.onEnd(source, { left: unanswered, cause, blame: undefined })
      } else if (
        isSomebodyFree &&
        !source.isHedged &&
        nowMs - source.lastBlockMs > this.#limits.hedgeAfterMs
      ) {
        source.isHedged = true
        left.push(...source.unanswered())
      }
    }
    return left
  }

  /** That source has ended; it is tried again unless it misbehaved or went away too often. */
  lose(source: Source, { cause, blame }: { cause: Error; blame: Blame | undefined }): void {
    const { peerId } = source
    this.#open.delete(peerId)
    const losses = (this.#losses.get(peerId) ?? 0) + 1
    this.#losses.set(peerId, losses)
    this.#components.logger.debug('a source has ended', { peer: peerId, reason: cause.message, blame })
    if (blame !== undefined) this.#components.onBlame(peerId, blame)
    if (cause.name === 'UnsupportedProtocolError') {
      this.#others++
      this.#excluded.add(peerId)
    }
    if (blame !== undefined || losses >= LOSSES_PER_PEER_MAX) this.#excluded.add(peerId)
    void this.#connect(peerId)
  }

  [Symbol.dispose](): void {
    this.#stop.abort(new Error('the fetch has ended'))
    for (const source of [...this.#open.values(), ...this.#opening.values()]) source[Symbol.dispose]()
    this.#open.clear()
  }

  #isWelcome(peerId: string): boolean {
    return (
      !this.#open.has(peerId) &&
      !this.#opening.has(peerId) &&
      !this.#excluded.has(peerId) &&
      this.#components.isAcceptable(peerId)
    )
  }

  async #seek(): Promise<void> {
    if (!this.#search.hasRouting) {
      await Promise.all([...this.#components.connectedPeers()].map((peerId) => this.#connect(peerId)))
    }
    await this.#search.search(this.#init.root, {
      signal: this.#stop.signal,
      isEnough: () => this.#open.size + this.#opening.size >= this.#limits.peersMax
    })
    this.#state = 'over'
    this.#changed()
  }

  /** Opens a channel to a connected peer. */
  async #connect(peerId: string): Promise<void> {
    if (this.#stop.signal.aborted || !this.#isWelcome(peerId)) return
    if (this.#open.size + this.#opening.size >= this.#limits.peersMax) return
    const source = new Source(this.#components, { peerId, events: this.#init.events }, this.#limits)
    this.#opening.set(peerId, source)
    try {
      await source.open()
      if (!this.#stop.signal.aborted) this.#open.set(peerId, source)
    } catch (thrown) {
      this.#others++
      this.#excluded.add(peerId)
      this.#components.logger.debug('a provider speaks no dag stream', {
        peer: peerId,
        reason: errorMessage(thrown)
      })
    } finally {
      this.#opening.delete(peerId)
    }
    this.#changed()
  }

  #changed(): void {
    if (!this.#stop.signal.aborted) this.#init.onChanged()
  }
}
