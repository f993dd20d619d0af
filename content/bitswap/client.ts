import type { Clock } from '#contracts'
import type { CID } from 'multiformats/cid'
import { cidFromWire, isHashKnown, keyOfBlock, keyOfCid, type BlockKey } from './block-key.ts'
import type { MisbehaviourReason } from './conduct.ts'
import type { BitswapLimits } from './limits.ts'
import type { BitswapMessage, BlockEntry, WantEntry } from './message.ts'

/** A session as the client sees it. */
export interface BlockReceiver {
  /** A verified block that this session wants. */
  onBlock(key: BlockKey, peerId: string, data: Uint8Array): void
  /** A peer says whether it has a block that this session asked it for. */
  onPresence(key: BlockKey, peerId: string, has: boolean): void
  /** A peer sent a block that nobody asked it for. */
  onWrongBlock(peerId: string): void
  /** A peer is gone, for good when it `misbehaved`. */
  onPeerLost(peerId: string, misbehaved: boolean): void
  /** A peer that speaks bitswap has been met. */
  onPeerMet(peerId: string): void
  /** Time has passed. */
  sweep(nowMs: number): void
}

/** Collaborators of a {@link Client}. */
export interface ClientComponents {
  readonly clock: Clock
  /** Sends a want to a peer, opening a stream when needed. */
  send(this: void, peerId: string, entry: WantEntry): void
  /** Whether what peers send waits for a limit of our own. */
  isHeldUp?(this: void): boolean
  /** Called when a peer did what no honest one does; returns whether it is disconnected for it. */
  onStrike(this: void, peerId: string, reason: MisbehaviourReason): boolean
}

/** Counters of a client. */
export interface ClientStats {
  blocksReceived: number
  bytesReceived: number
  /** Blocks that were asked for and came when they were no longer needed. */
  blocksLate: number
  /** Blocks that were never asked of their sender, wrong ones among them. */
  blocksUnwanted: number
}

interface Asked {
  /** Blocks that the peer may still send for this key. */
  owed: number
  readonly sessions: Set<BlockReceiver>
}

interface ClientPeer {
  readonly asked: Map<BlockKey, Asked>
  lastBytesMs: number
  receivedBytes: number
}

/**
 * Turns what peers send into blocks: hashes each block once, hands it to the sessions that want it, and notes who
 * sends what was not asked for.
 */
export class Client implements Disposable {
  readonly #components: ClientComponents
  readonly #limits: Pick<BitswapLimits, 'askedPerPeerMax' | 'sweepIntervalMs'>
  readonly #peers = new Map<string, ClientPeer>()
  readonly #wanted = new Map<BlockKey, Set<BlockReceiver>>()
  readonly #sessions = new Set<BlockReceiver>()
  readonly #stats: ClientStats = { blocksReceived: 0, bytesReceived: 0, blocksLate: 0, blocksUnwanted: 0 }
  #sweeper: Disposable | undefined

  constructor(
    components: ClientComponents,
    limits: Pick<BitswapLimits, 'askedPerPeerMax' | 'sweepIntervalMs'>
  ) {
    this.#components = components
    this.#limits = limits
  }

  /** A copy of the counters. */
  stats(): ClientStats {
    return { ...this.#stats }
  }

  /** From now on `session` gets this block, whoever sends it. */
  register(key: BlockKey, session: BlockReceiver): void {
    const sessions = this.#wanted.get(key) ?? new Set()
    sessions.add(session)
    this.#wanted.set(key, sessions)
    this.#sweeper ??= this.#components.clock.every(this.#limits.sweepIntervalMs, () => {
      const nowMs = this.#components.clock.monotonicMs()
      // Peers are not slow when it is our own cap that keeps them waiting.
      if (this.#components.isHeldUp?.() === true) return
      for (const open of this.#sessions) open.sweep(nowMs)
    })
  }

  /** `session` has no more use for this block. */
  unregister(key: BlockKey, session: BlockReceiver): void {
    const sessions = this.#wanted.get(key)
    if (sessions?.delete(session) === true && sessions.size === 0) this.#wanted.delete(key)
    if (this.#wanted.size > 0) return
    this.#sweeper?.[Symbol.dispose]()
    this.#sweeper = undefined
  }

  /** Sessions that are told of lost peers and of time. */
  open(session: BlockReceiver): void {
    this.#sessions.add(session)
  }

  /** Ends what {@link open} began and withdraws whatever the session still asks. */
  close(session: BlockReceiver): void {
    this.#sessions.delete(session)
  }

  /** Asks a peer for a block, or only whether it has it. */
  ask(session: BlockReceiver, peerId: string, o: { cid: CID; type: 'block' | 'have' }): void {
    const peer = this.#peers.get(peerId) ?? {
      asked: new Map<BlockKey, Asked>(),
      lastBytesMs: 0,
      receivedBytes: 0
    }
    this.#peers.set(peerId, peer)
    const key = keyOfCid(o.cid)
    const asked = peer.asked.get(key) ?? { owed: 0, sessions: new Set() }
    peer.asked.delete(key)
    peer.asked.set(key, asked)
    asked.owed++
    asked.sessions.add(session)
    this.#prune(peer)
    this.#components.send(peerId, {
      cid: o.cid.bytes,
      priority: 1,
      cancel: false,
      type: o.type,
      sendDontHave: true
    })
  }

  /** `session` waits no longer for this peer's answer; the peer is told when no other session does. */
  withdraw(session: BlockReceiver, peerId: string, cid: CID): void {
    const asked = this.#peers.get(peerId)?.asked.get(keyOfCid(cid))
    if (asked?.sessions.delete(session) !== true || asked.sessions.size > 0) return
    if (asked.owed === 0) return
    this.#components.send(peerId, {
      cid: cid.bytes,
      priority: 0,
      cancel: true,
      type: 'block',
      sendDontHave: false
    })
  }

  /** When a peer last sent any byte, on the monotonic clock. */
  lastBytesMs(peerId: string): number {
    return this.#peers.get(peerId)?.lastBytesMs ?? 0
  }

  /** Bytes of messages that a peer has sent since it was first asked for something. */
  receivedBytes(peerId: string): number {
    return this.#peers.get(peerId)?.receivedBytes ?? 0
  }

  /** Notes that bytes of an unfinished message came. */
  progress(peerId: string, bytes: number): void {
    const peer = this.#peers.get(peerId)
    if (peer === undefined) return
    peer.lastBytesMs = this.#components.clock.monotonicMs()
    peer.receivedBytes += bytes
  }

  /**
   * Takes the blocks and presences of a message.
   *
   * @throws ContentError `ERR_BITSWAP_MESSAGE` when a prefix or CID is malformed
   */
  receive(peerId: string, message: Pick<BitswapMessage, 'blocks' | 'presences'>): void {
    for (const block of message.blocks) {
      if (this.#receiveBlock(peerId, block)) continue
      if (this.#noteUnwanted(peerId, block)) return
    }
    for (const { cid, has } of message.presences) {
      const key = keyOfCid(cidFromWire(cid))
      const asked = this.#peers.get(peerId)?.asked.get(key)
      for (const session of [...(asked?.sessions ?? [])]) session.onPresence(key, peerId, has)
    }
  }

  /** A peer that speaks bitswap is connected. */
  meet(peerId: string): void {
    for (const session of [...this.#sessions]) session.onPeerMet(peerId)
  }

  /** Nothing can be sent to a peer: sessions ask others. What it still sends is not held against it. */
  lose(peerId: string): void {
    if (!this.#peers.has(peerId)) return
    for (const session of [...this.#sessions]) session.onPeerLost(peerId, false)
  }

  /** Forgets a peer that is no longer connected, or that is not to be asked any more. */
  forget(peerId: string, misbehaved: boolean): void {
    if (!this.#peers.delete(peerId)) return
    for (const session of [...this.#sessions]) session.onPeerLost(peerId, misbehaved)
  }

  [Symbol.dispose](): void {
    this.#sweeper?.[Symbol.dispose]()
    this.#sweeper = undefined
  }

  /** Takes a block that was asked of that peer; returns whether it was. */
  #receiveBlock(peerId: string, block: BlockEntry): boolean {
    const peer = this.#peers.get(peerId)
    // Whom we asked nothing owes us nothing: such a block is not worth a hash.
    if (peer === undefined || peer.asked.size === 0) return false
    const key = keyOfBlock(block)
    const asked = key === undefined ? undefined : peer.asked.get(key)
    if (key === undefined || asked === undefined || asked.owed === 0) return false
    asked.owed--
    const sessions = this.#wanted.get(key)
    if (sessions === undefined) this.#stats.blocksLate++
    else {
      this.#stats.blocksReceived++
      this.#stats.bytesReceived += block.data.byteLength
      for (const session of [...sessions]) session.onBlock(key, peerId, block.data)
    }
    return true
  }

  /** Returns whether the peer is disconnected for it. */
  #noteUnwanted(peerId: string, block: BlockEntry): boolean {
    this.#stats.blocksUnwanted++
    for (const session of [...this.#sessions]) session.onWrongBlock(peerId)
    return this.#components.onStrike(peerId, isHashKnown(block) ? 'unwanted-block' : 'unknown-hash')
  }

  /** Forgets the oldest keys that nobody waits for, so that late answers are still told from wrong ones for long. */
  #prune(peer: ClientPeer): void {
    if (peer.asked.size <= this.#limits.askedPerPeerMax) return
    for (const [key, asked] of peer.asked) {
      if (asked.sessions.size > 0) continue
      peer.asked.delete(key)
      if (peer.asked.size <= this.#limits.askedPerPeerMax) return
    }
  }
}
