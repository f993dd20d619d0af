import type { Clock } from '#contracts'
import type { CID } from 'multiformats/cid'
import { checkCid, inlineBlock } from '../cid.ts'
import { ContentError } from '../errors.ts'
import type { BlockSession, SessionReport } from '../exchange.ts'
import { whyNotFound } from '../not-found.ts'
import { keyOfCid, type BlockKey } from './block-key.ts'
import type { BlockReceiver, Client } from './client.ts'
import type { BitswapLimits } from './constants.ts'
import { PeerSearch, type PeerSearchComponents, type Provider } from './peer-search.ts'
import { choosePeer, SessionPeer, type SessionWant } from './session-peer.ts'

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

/** A want whose callers are all gone needs no peer; one with many candidates busy need not be looked at again. */
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
  /** Peers asked only whether they have a block, and which. */
  readonly #probes = new Map<string, { cid: CID; key: BlockKey; isOpen: boolean }>()
  readonly #excluded = new Set<string>()
  readonly #asked = new Set<string>()
  #isSeeking = false
  #isOpened = false
  #wake: (() => void) | undefined

  constructor(components: SessionComponents, init: SessionInit, limits: BitswapLimits) {
    this.#components = components
    this.#init = init
    this.#limits = limits
    this.#search = new PeerSearch(
      {
        ...components,
        isWelcome: (peerId) => !this.#peers.has(peerId) && this.#isAcceptable(peerId),
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
    const { windowMax } = this.#limits
    const nowMs = this.#components.clock.monotonicMs()
    this.#peers.get(peerId)?.deliver(want, data.byteLength, { nowMs, windowMax })
    if (this.#probes.get(peerId)?.key === key) this.#addPeer(peerId)
    const waiters = [...want.waiters]
    this.#settle(want)
    for (const waiter of waiters) waiter.resolve(data)
    this.#pump()
  }

  onPresence(key: BlockKey, peerId: string, has: boolean): void {
    const probe = this.#probes.get(peerId)
    if (probe?.key === key && probe.isOpen) this.#closeProbe(peerId, has)
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
    this.#removePeer(peerId, misbehaved)
    this.#closeProbe(peerId, false)
  }

  sweep(nowMs: number): void {
    const { client } = this.#components
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
    if (this.#pending.size === 0) this.#hedge(nowMs)
  }

  #isAcceptable(peerId: string): boolean {
    return !this.#excluded.has(peerId) && this.#components.isAcceptable(peerId)
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
    for (const [peerId, { cid }] of this.#probes) this.#components.client.withdraw(this, peerId, cid)
    this.#probes.clear()
    this.#peers.clear()
    this.#components.client.close(this)
    this.#wake?.()
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
    if (this.#init.signal.aborted || this.#peers.has(peerId) || !this.#isAcceptable(peerId)) return
    if (this.#peers.size >= this.#limits.sessionPeersMax) return
    this.#peers.set(peerId, new SessionPeer(peerId, this.#limits.windowInitial))
    this.#revive()
    this.#wake?.()
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

  #hedge(nowMs: number): void {
    for (const slow of this.#peers.values()) {
      for (const want of slow.olderThan(nowMs - this.#limits.hedgeAfterMs)) {
        if (want.asked.size > 1) continue
        const other = choosePeer(want, this.#peers.values())
        if (other !== undefined && other !== 'wait' && other.owedCount === 0) this.#ask(want, other)
      }
    }
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
    void this.#seek()
  }

  /** Looks for peers until nobody starves; when several searches in a row bring nobody, starving wants fail. */
  async #seek(): Promise<void> {
    if (this.#isSeeking) return
    this.#isSeeking = true
    const { signal } = this.#init
    for (let round = 0; round < this.#limits.searchRoundsMax && !signal.aborted; round++) {
      if (round > 0) await this.#pause(this.#limits.searchPauseMs * 2 ** (round - 1))
      const [first] = this.#starving
      if (first === undefined) break
      await this.#seekOnce(round === 0 ? this.#init.root : first.cid)
    }
    this.#isSeeking = false
    for (const want of [...this.#starving]) this.#fail(want, this.#reasonOf(want))
  }

  async #seekOnce(cid: CID): Promise<void> {
    const { signal, providers = [] } = this.#init
    const isEnough = (): boolean => this.#peers.size >= this.#limits.sessionPeersTarget
    const dialled = this.#search.connectAll(providers, signal)
    const hasProbes = this.#probeConnected(cid)
    if (hasProbes || providers.length > 0) await this.#pause(this.#limits.searchDelayMs)
    // Who is there already may be enough; if they are slow or few, more are looked for all the same.
    await this.#search.search(cid, { signal, isEnough })
    await dialled
    if ([...this.#probes.values()].some(({ isOpen }) => isOpen))
      await this.#pause(this.#limits.probeTimeoutMs)
  }

  /** Asks connected peers that are not in the session whether they have a block. */
  #probeConnected(cid: CID): boolean {
    const key = keyOfCid(cid)
    let count = 0
    for (const peerId of this.#components.connectedPeers()) {
      if (count >= this.#limits.probePeersMax) break
      if (this.#peers.has(peerId) || !this.#isAcceptable(peerId)) continue
      const before = this.#probes.get(peerId)
      if (before?.key === key) continue
      if (before !== undefined) this.#components.client.withdraw(this, peerId, before.cid)
      this.#probes.set(peerId, { cid, key, isOpen: true })
      this.#asked.add(peerId)
      this.#components.client.ask(this, peerId, { cid, type: 'have' })
      count++
    }
    return count > 0
  }

  #closeProbe(peerId: string, has: boolean): void {
    const probe = this.#probes.get(peerId)
    if (probe === undefined) return
    probe.isOpen = false
    if (has) this.#addPeer(peerId)
    if (![...this.#probes.values()].some(({ isOpen }) => isOpen)) this.#wake?.()
  }

  /** Waits, but not longer than until a peer joins, all probes are answered or the session ends. */
  async #pause(durationMs: number): Promise<void> {
    const woken = Promise.withResolvers<void>()
    this.#wake = woken.resolve
    using _timer = this.#components.clock.after(durationMs, woken.resolve)
    await woken.promise
  }

  #reasonOf(want: SessionWant): ContentError {
    if (!want.wasWrong) return whyNotFound(want.cid, this.report())
    const message = `peers that were asked for ${want.cid.toString()} sent a wrong block, and nobody sent the right one`
    return new ContentError('ERR_CONTENT_WRONG_BLOCK', message)
  }
}
