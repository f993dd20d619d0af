import type { Clock } from '#contracts'
import type { CID } from 'multiformats/cid'
import { checkCid, inlineBlock, matchesCid } from '../cid.ts'
import { ContentError } from '../errors.ts'
import type { BlockSession, SessionReport } from '../exchange.ts'
import { whyNotFound } from '../not-found.ts'
import { keyOfCid, type BlockKey } from './block-key.ts'
import type { BlockReceiver, Client } from './client.ts'
import type { BitswapLimits } from './limits.ts'
import { Pace } from './pace.ts'
import { Pause } from './pause.ts'
import { PeerSearch, type PeerSearchComponents, type Provider } from './peer-search.ts'
import { Probes } from './probes.ts'
import { choosePeer, hedges, SessionPeer, type SessionWant } from './session-peer.ts'

/** Collaborators of a {@link Session}. */
export interface SessionComponents extends Omit<PeerSearchComponents, 'isWelcome' | 'onConnected'> {
  readonly clock: Clock
  readonly client: Client
  /** Connected peers that speak bitswap. */
  connectedPeers(): Iterable<string>
  /** Whether a peer is neither ourselves nor shunned. */
  isAcceptable(peerId: string): boolean
}

/** What a session is about. */
export interface SessionInit {
  readonly root: CID
  readonly signal: AbortSignal
  /** Peers known to have the root; asked before and beside those that are found. */
  readonly providers?: readonly Provider[]
}

const EMPTY = new Uint8Array(0)

/** Wants passed over because all their peers are busy, after which a pump stops looking for one that is not. */
const PUMP_WAITS_MAX = 256

/**
 * Fetches the blocks of one DAG. Peers that have the root are found once and asked for everything; each block is
 * asked of one peer at a time, of the next one when that fails, and a block that nobody has starts another search.
 *
 * Every want is in exactly one of three states: pending (to be asked as soon as a peer has room), asked, or
 * starving (nobody left to ask: a search runs, and when that brings nobody the want fails).
 */
export class Session implements BlockSession, BlockReceiver {
  readonly #components: SessionComponents
  readonly #init: SessionInit
  readonly #limits: BitswapLimits
  readonly #search: PeerSearch
  readonly #wants = new Map<BlockKey, SessionWant>()
  readonly #pending = new Set<SessionWant>()
  readonly #starving = new Set<SessionWant>()
  readonly #peers = new Map<string, SessionPeer>()
  readonly #probes: Probes
  readonly #pause: Pause
  readonly #pace: Pace
  readonly #excluded = new Set<string>()
  /** How often a peer went away since it last brought a block. */
  readonly #losses = new Map<string, number>()
  readonly #asked = new Set<string>()
  #isSeeking = false
  #isOpened = false

  constructor(components: SessionComponents, init: SessionInit, limits: BitswapLimits) {
    this.#components = components
    this.#init = init
    this.#limits = limits
    this.#pause = new Pause(components.clock)
    this.#pace = new Pace(limits)
    this.#probes = new Probes({
      ask: (peerId, cid) => {
        this.#asked.add(peerId)
        components.client.ask(this, peerId, { cid, type: 'have' })
      },
      withdraw: (peerId, cid) => {
        components.client.withdraw(this, peerId, cid)
      }
    })
    this.#search = new PeerSearch(
      {
        ...components,
        isWelcome: (peerId) => this.#isWelcome(peerId),
        onConnected: (peerId) => {
          this.#addPeer(peerId)
        }
      },
      limits
    )
  }

  report(): SessionReport {
    return {
      providersFound: this.#search.found.size,
      peersAsked: this.#asked.size,
      peersUnreachable: this.#search.unreachable.size,
      hasRouting: this.#search.hasRouting
    }
  }

  async fetch(cid: CID, { signal }: { signal: AbortSignal }): Promise<Uint8Array> {
    signal.throwIfAborted()
    this.#init.signal.throwIfAborted()
    checkCid(cid)
    const inline = inlineBlock(cid)
    if (inline !== undefined) return inline
    // Kubo sends no empty block, though it makes them of empty files; nobody needs to be asked for one.
    if (matchesCid(cid, EMPTY)) return EMPTY
    const want = this.#want(cid)
    const waiter = Promise.withResolvers<Uint8Array>()
    want.waiters.add(waiter)
    const onAbort = (): void => {
      want.waiters.delete(waiter)
      if (want.waiters.size === 0) this.#settle(want)
      waiter.reject(signal.reason)
    }
    signal.addEventListener('abort', onAbort, { once: true })
    try {
      return await waiter.promise
    } finally {
      signal.removeEventListener('abort', onAbort)
    }
  }

  onBlock(key: BlockKey, peerId: string, data: Uint8Array): void {
    const want = this.#wants.get(key)
    if (want === undefined) return
    const { windowInitial, windowMax } = this.#limits
    const nowMs = this.#components.clock.monotonicMs()
    const o = { nowMs, windowInitial, windowMax }
    const durationMs = this.#peers.get(peerId)?.deliver(want, data.byteLength, o)
    if (durationMs !== undefined) this.#pace.note(durationMs)
    if (this.#probes.answered(peerId, key)) this.#addPeer(peerId)
    this.#losses.delete(peerId)
    const waiters = [...want.waiters]
    this.#settle(want)
    for (const waiter of waiters) waiter.resolve(data)
    this.#pump()
  }

  onPresence(key: BlockKey, peerId: string, has: boolean): void {
    if (this.#probes.answered(peerId, key)) {
      if (has) this.#addPeer(peerId)
      this.#pause.changed()
    }
    const want = this.#wants.get(key)
    if (want === undefined || has) return
    const peer = this.#peers.get(peerId)
    if (peer === undefined) return
    want.lacking.add(peerId)
    if (!want.asked.has(peer)) return
    peer.release(want)
    this.#retry(want)
  }

  onWrongBlock(peerId: string): void {
    const peer = this.#peers.get(peerId)
    if (peer === undefined) return
    for (const want of peer.owed()) {
      want.wasWrong = true
      this.#giveUp(want, peer)
    }
  }

  onPeerLost(peerId: string, misbehaved: boolean): void {
    const losses = (this.#losses.get(peerId) ?? 0) + 1
    if (this.#peers.has(peerId)) this.#losses.set(peerId, losses)
    this.#removePeer(peerId, misbehaved || losses >= this.#limits.peerLossesMax)
    this.#probes.forget(peerId)
    this.#pause.changed()
  }

  onPeerMet(peerId: string): void {
    const [first] = this.#starving
    if (first !== undefined && this.#isWelcome(peerId))
      this.#probes.ask(first.cid, [peerId], Math.min(1, this.#limits.probePeersMax))
  }

  sweep(nowMs: number): void {
    const { client } = this.#components
    for (const peer of this.#peers.values()) peer.noteBytes(client.receivedBytes(peer.id), nowMs)
    for (const peer of [...this.#peers.values()]) {
      const { wants, isSilent } = peer.overdue(
        nowMs - this.#limits.wantTimeoutMs,
        client.lastBytesMs(peer.id)
      )
      if (isSilent) {
        peer.timeouts++
        peer.window = Math.max(1, Math.floor(peer.window / 2))
      }
      if (peer.timeouts >= this.#limits.peerTimeoutsMax) this.#removePeer(peer.id, true)
      else for (const want of wants) this.#giveUp(want, peer)
    }
    const o = { nowMs, patienceMs: this.#pace.patienceMs, isAllAsked: this.#pending.size === 0 }
    for (const { want, peer } of hedges([...this.#peers.values()], o)) this.#ask(want, peer)
  }

  /** Whether a peer that is not in the session may join it. */
  #isWelcome(peerId: string): boolean {
    return !this.#peers.has(peerId) && !this.#excluded.has(peerId) && this.#components.isAcceptable(peerId)
  }

  #want(cid: CID): SessionWant {
    const key = keyOfCid(cid)
    const known = this.#wants.get(key)
    if (known !== undefined) return known
    if (this.#wants.size >= this.#limits.sessionWantsMax) {
      throw new ContentError(
        'ERR_BITSWAP_BUSY',
        `expected at most ${this.#limits.sessionWantsMax} open fetches`
      )
    }
    this.#open()
    const want: SessionWant = {
      cid,
      key,
      waiters: new Set(),
      asked: new Set(),
      told: new Set(),
      lacking: new Set(),
      failed: new Set(),
      wasWrong: false
    }
    this.#wants.set(key, want)
    this.#components.client.register(key, this)
    this.#retry(want)
    return want
  }

  #open(): void {
    if (this.#isOpened) return
    this.#isOpened = true
    this.#components.client.open(this)
    this.#init.signal.addEventListener(
      'abort',
      () => {
        this.#close(this.#init.signal.reason)
      },
      { once: true }
    )
  }

  #close(reason: unknown): void {
    for (const want of [...this.#wants.values()]) this.#fail(want, reason)
    this.#probes.clear()
    this.#peers.clear()
    this.#components.client.close(this)
    this.#pause.changed()
  }

  /** The want is no longer this session's affair: peers are told, nobody is waited for. */
  #settle(want: SessionWant): void {
    if (this.#wants.get(want.key) !== want) return
    this.#wants.delete(want.key)
    this.#pending.delete(want)
    this.#starving.delete(want)
    for (const peer of [...want.asked]) peer.release(want)
    this.#components.client.unregister(want.key, this)
    for (const peerId of want.told) this.#components.client.withdraw(this, peerId, want.cid)
  }

  #fail(want: SessionWant, reason: unknown): void {
    this.#settle(want)
    for (const waiter of want.waiters) waiter.reject(reason)
  }

  /** Makes a want pending again unless somebody else still owes it. */
  #retry(want: SessionWant): void {
    if (want.asked.size > 0) return
    this.#pending.add(want)
    this.#pump()
  }

  #giveUp(want: SessionWant, peer: SessionPeer): void {
    want.failed.add(peer.id)
    peer.release(want)
    this.#components.client.withdraw(this, peer.id, want.cid)
    this.#retry(want)
  }

  #addPeer(peerId: string): void {
    if (this.#init.signal.aborted || !this.#isWelcome(peerId)) return
    const { sessionPeersMax, windowUnproven, windowInitial } = this.#limits
    if (this.#peers.size >= sessionPeersMax) return
    this.#peers.set(peerId, new SessionPeer(peerId, Math.min(windowUnproven, windowInitial)))
    this.#revive()
    this.#pause.changed()
  }

  #removePeer(peerId: string, forGood: boolean): void {
    if (forGood) this.#excluded.add(peerId)
    const peer = this.#peers.get(peerId)
    if (peer === undefined) return
    this.#peers.delete(peerId)
    for (const want of peer.owed()) this.#giveUp(want, peer)
  }

  /** Somebody new is there to be asked. */
  #revive(): void {
    for (const want of this.#starving) this.#pending.add(want)
    this.#starving.clear()
    this.#pump()
  }

  /** Asks for whatever is pending, as far as peers have room. */
  #pump(): void {
    let waits = 0
    for (const want of this.#pending) {
      const peer = choosePeer(want, this.#peers.values())
      if (peer === 'wait') {
        if (++waits >= PUMP_WAITS_MAX) return
        continue
      }
      this.#pending.delete(want)
      if (peer === undefined) this.#starve(want)
      else this.#ask(want, peer)
    }
  }

  #ask(want: SessionWant, peer: SessionPeer): void {
    peer.ask(want, this.#components.clock.monotonicMs())
    want.told.add(peer.id)
    this.#asked.add(peer.id)
    this.#components.client.ask(this, peer.id, { cid: want.cid, type: 'block' })
  }

  #starve(want: SessionWant): void {
    // Peers that failed may be asked once more: they leave the session by themselves if they fail too often.
    const failed = [...want.failed].filter((peerId) => this.#peers.has(peerId))
    if (failed.length > 0) {
      for (const peerId of failed) want.failed.delete(peerId)
      this.#pending.add(want)
      return
    }
    this.#starving.add(want)
    this.#pause.changed()
    void this.#seek()
  }

  /** Looks for peers until nobody starves; when several searches in a row bring nobody, starving wants fail. */
  async #seek(): Promise<void> {
    if (this.#isSeeking) return
    this.#isSeeking = true
    const { signal } = this.#init
    const isOver = (): boolean => signal.aborted || this.#starving.size === 0
    for (let round = 0; round < this.#limits.searchRoundsMax; round++) {
      if (round > 0) await this.#pause.wait(this.#limits.searchPauseMs * 2 ** (round - 1), isOver)
      const [first] = this.#starving
      if (first === undefined || signal.aborted) break
      await this.#seekOnce(round === 0 ? this.#init.root : first.cid)
    }
    this.#isSeeking = false
    for (const want of [...this.#starving]) this.#fail(want, this.#reasonOf(want))
  }

  async #seekOnce(cid: CID): Promise<void> {
    const { signal, providers = [] } = this.#init
    const { searchDelayMs, probeTimeoutMs, probePeersMax } = this.#limits
    let isDialling = providers.length > 0
    const dialled = this.#search.connectAll(providers, signal).then(() => {
      isDialling = false
      this.#pause.changed()
    })
    const strangers = [...this.#components.connectedPeers()].filter((peerId) => this.#isWelcome(peerId))
    this.#probes.ask(cid, strangers, probePeersMax)
    const isAnswered = (): boolean => signal.aborted || !(this.#probes.areOpen || isDialling)
    await this.#pause.wait(searchDelayMs, () => this.#peers.size > 0 || isAnswered())
    if (await this.#needsMorePeers()) {
      const isEnough = (): boolean => this.#peers.size >= this.#limits.sessionPeersTarget
      await this.#search.search(cid, { signal, isEnough })
    }
    await dialled
    await this.#pause.wait(probeTimeoutMs, isAnswered)
  }

  /** Whoever was at hand may be enough: the content routing is asked when they turn out slow, or lack something. */
  async #needsMorePeers(): Promise<boolean> {
    const { signal } = this.#init
    const isStarving = (): boolean => signal.aborted || this.#peers.size === 0 || this.#starving.size > 0
    await this.#pause.wait(this.#limits.searchAnywayMs, isStarving)
    return !signal.aborted && this.#wants.size > 0
  }

  #reasonOf(want: SessionWant): ContentError {
    if (!want.wasWrong) return whyNotFound(want.cid, this.report())
    const message = `peers that were asked for ${want.cid.toString()} sent a wrong block, and nobody sent the right one`
    return new ContentError('ERR_CONTENT_WRONG_BLOCK', message)
  }
}
