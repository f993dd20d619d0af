import { errorMessage, type Clock, type Logger } from '#contracts'
import type { CID } from 'multiformats/cid'
import { BLOCK_BYTES_MAX } from '../constants.ts'
import { cidFromWire, keyOfCid, prefixOfCid, type BlockKey } from './block-key.ts'
import type { Answer } from './channel.ts'
import type { BitswapLimits } from './limits.ts'
import { createWant, Ledger, type LedgerWant, type RequestedWant } from './ledger.ts'
import { presenceLength, type BitswapMessage, type BlockEntry, type PresenceEntry } from './message.ts'

/** Where the server reads blocks. */
export interface BlockSource {
  /** Whether the block is there. */
  has(cid: CID): Promise<boolean>
  /** The block, or `undefined` when it is not there. */
  get(cid: CID): Promise<Uint8Array | undefined>
}

/** Collaborators of a {@link Server}. */
export interface ServerComponents {
  readonly clock: Clock
  readonly logger: Logger
  readonly store: BlockSource
  /** Whether that peer may have that block. */
  mayServe(cid: CID, peerId: string): Promise<boolean>
  /** Sends an answer; resolves when the peer's stream has taken it. */
  send(this: void, peerId: string, answer: Answer): Promise<void>
  /** How long a peer has not taken what it was sent; what waits for limits of our own does not count. */
  stalledMs?(this: void, peerId: string): number | undefined
  /** Ends whatever we send to a peer that takes nothing. */
  abandon(this: void, peerId: string): void
}

/** The limits that a server observes. */
export type ServerLimits = Pick<
  BitswapLimits,
  | 'wantsPerPeerMax'
  | 'wantsMax'
  | 'servingBytesPerPeerMax'
  | 'servingBytesMax'
  | 'batchBytes'
  | 'batchWantsMax'
  | 'storeReadsMax'
  | 'contendedStallMs'
>

/** Counters of a server. */
export interface ServerStats {
  blocksSent: number
  bytesSent: number
  /** Wants that were not remembered because there were too many. */
  wantsRefused: number
  /** Wants remembered now. */
  wantsHeld: number
  /** Bytes of blocks held in memory now, or reserved for those being read. */
  servingBytes: number
  /** The most that `servingBytes` ever was. */
  servingBytesPeak: number
}

/**
 * Answers wants. Blocks are read one at a time and only while what is held for the peer, and for all peers, is
 * under its bound; peers take turns, so that neither a greedy nor a slow one delays the others.
 *
 * Invariant: a want for what may not be served is treated in every way as if the block were not here.
 */
export class Server {
  readonly #components: ServerComponents
  readonly #limits: ServerLimits
  readonly #ledgers = new Map<string, Ledger>()
  /** Peers with something to answer, in the order of their turns. */
  readonly #turns = new Set<Ledger>()
  readonly #waiting = new Map<BlockKey, Set<LedgerWant>>()
  readonly #stats: ServerStats = {
    blocksSent: 0,
    bytesSent: 0,
    wantsRefused: 0,
    wantsHeld: 0,
    servingBytes: 0,
    servingBytesPeak: 0
  }
  readonly #readers = new Set<Ledger>()

  constructor(components: ServerComponents, limits: ServerLimits) {
    this.#components = components
    this.#limits = limits
  }

  /** A copy of the counters. */
  stats(): ServerStats {
    return { ...this.#stats }
  }

  /**
   * Takes the wantlist of a message.
   *
   * @throws ContentError `ERR_BITSWAP_MESSAGE` when an entry is no CID
   */
  receive(peerId: string, message: Pick<BitswapMessage, 'wants' | 'full'>): void {
    if (message.wants.length === 0 && !message.full) return
    const wants = message.wants.map((entry) => ({ ...entry, cid: cidFromWire(entry.cid) }))
    const ledger = this.#ledgers.get(peerId) ?? new Ledger(peerId)
    this.#ledgers.set(peerId, ledger)
    if (message.full) this.#clear(ledger)
    for (const entry of wants.sort((a, b) => b.priority - a.priority)) {
      const known = ledger.get(keyOfCid(entry.cid))
      if (entry.cancel) {
        if (known !== undefined) this.#remove(known)
      } else if (known !== undefined) this.#renew(known, entry)
      else this.#add(ledger, entry)
    }
    if (ledger.size === 0 && ledger.servingBytes === 0) this.#ledgers.delete(peerId)
    this.#offerTurn(ledger)
  }

  /** Answers those who wait for this block. */
  notify(cid: CID): void {
    const key = keyOfCid(cid)
    for (const ledger of this.#readers) {
      const want = ledger.get(key)
      if (want?.state === 'serving') want.again = true
    }
    for (const want of this.#waiting.get(key) ?? []) {
      this.#stopWaiting(want)
      want.ledger.enqueue(want)
      this.#offerTurn(want.ledger)
    }
  }

  /** Forgets a peer that is no longer connected. */
  forget(peerId: string): void {
    const ledger = this.#ledgers.get(peerId)
    if (ledger === undefined) return
    this.#clear(ledger)
    this.#turns.delete(ledger)
    this.#ledgers.delete(peerId)
  }

  #add(ledger: Ledger, entry: RequestedWant): void {
    const isFull = ledger.size >= this.#limits.wantsPerPeerMax
    if (isFull && !this.#evictWaiting(ledger)) {
      this.#stats.wantsRefused++
      return
    }
    if (this.#stats.wantsHeld >= this.#limits.wantsMax) {
      this.#stats.wantsRefused++
      return
    }
    this.#stats.wantsHeld++
    ledger.add(createWant(ledger, entry))
  }

  #renew(want: LedgerWant, entry: RequestedWant): void {
    want.cid = entry.cid
    want.block ||= entry.type === 'block'
    want.sendDontHave = entry.sendDontHave
    want.toldMissing = false
    if (want.state === 'waiting') {
      this.#stopWaiting(want)
      want.ledger.enqueue(want)
    } else if (want.state === 'serving') want.again = true
  }

  #evictWaiting(ledger: Ledger): boolean {
    for (const want of ledger.wants()) {
      if (want.state !== 'waiting') continue
      this.#remove(want)
      return true
    }
    return false
  }

  #clear(ledger: Ledger): void {
    for (const want of [...ledger.wants()]) this.#remove(want)
  }

  #remove(want: LedgerWant): void {
    if (want.state === 'gone') return
    this.#stopWaiting(want)
    want.ledger.remove(want)
    this.#stats.wantsHeld--
  }

  #stopWaiting(want: LedgerWant): void {
    const others = this.#waiting.get(want.key)
    if (others?.delete(want) === true && others.size === 0) this.#waiting.delete(want.key)
  }

  #startWaiting(want: LedgerWant): void {
    want.state = 'waiting'
    const others = this.#waiting.get(want.key) ?? new Set()
    others.add(want)
    this.#waiting.set(want.key, others)
  }

  #offerTurn(ledger: Ledger): void {
    if (ledger.hasWork && !this.#readers.has(ledger)) this.#turns.add(ledger)
    this.#takeTurns()
  }

  /** Starts turns in order, as long as reads and bytes are left. */
  #takeTurns(): void {
    const reserve = BLOCK_BYTES_MAX + this.#limits.batchBytes
    for (const ledger of this.#turns) {
      if (this.#readers.size >= this.#limits.storeReadsMax) return
      if (ledger.servingBytes + reserve > this.#limits.servingBytesPerPeerMax) {
        // It comes back when its stream has taken something.
        this.#turns.delete(ledger)
        continue
      }
      if (this.#stats.servingBytes + reserve > this.#limits.servingBytesMax) {
        this.#abandonStalled()
        return
      }
      this.#turns.delete(ledger)
      this.#readers.add(ledger)
      this.#hold(ledger, reserve)
      void this.#turn(ledger, reserve)
    }
  }

  async #turn(ledger: Ledger, reserve: number): Promise<void> {
    const answer = await this.#collect(ledger)
    this.#readers.delete(ledger)
    const bytes = answerLength(answer)
    this.#hold(ledger, bytes - reserve)
    if (this.#ledgers.get(ledger.peerId) !== ledger) this.#hold(ledger, -bytes)
    else if (bytes > 0) void this.#send(ledger, answer, bytes)
    this.#offerTurn(ledger)
  }

  async #send(ledger: Ledger, answer: Answer, bytes: number): Promise<void> {
    try {
      await this.#components.send(ledger.peerId, answer)
      this.#stats.blocksSent += answer.blocks.length
      this.#stats.bytesSent += answer.blocks.reduce((sum, block) => sum + block.data.byteLength, 0)
    } catch (cause) {
      this.#components.logger.debug('answer not sent', { peer: ledger.peerId, error: errorMessage(cause) })
    }
    ledger.tookAtMs = this.#components.clock.monotonicMs()
    this.#hold(ledger, -bytes)
    if (ledger.size === 0 && ledger.servingBytes === 0 && this.#ledgers.get(ledger.peerId) === ledger) {
      this.#ledgers.delete(ledger.peerId)
    }
    this.#offerTurn(ledger)
  }

  /** Looks up the next wants of one peer until there is a message's worth of blocks. */
  async #collect(ledger: Ledger): Promise<Answer> {
    const blocks: BlockEntry[] = []
    const presences: PresenceEntry[] = []
    let bytes = 0
    for (let count = 0; count < this.#limits.batchWantsMax && bytes < this.#limits.batchBytes; count++) {
      const want = ledger.next()
      if (want === undefined) break
      const found = await this.#find(want)
      if (want.state === 'gone') continue
      if (found === undefined) {
        if (want.again) ledger.enqueue(want)
        else this.#startWaiting(want)
        // Said once: a second time would tell a peer when we came to have what it may not get.
        if (want.sendDontHave && !want.toldMissing) presences.push({ cid: want.cid.bytes, has: false })
        want.toldMissing = true
      } else if (found === true) {
        presences.push({ cid: want.cid.bytes, has: true })
        // The block itself may have been asked for meanwhile.
        if (want.block) ledger.enqueue(want)
        else this.#remove(want)
      } else {
        blocks.push({ prefix: prefixOfCid(want.cid), data: found })
        bytes += found.byteLength
        this.#remove(want)
      }
    }
    return { blocks, presences }
  }

  /** The block; `true` when only its presence was asked for; `undefined` when the peer is to be told that we lack it. */
  async #find(want: LedgerWant): Promise<Uint8Array | true | undefined> {
    const { store, logger } = this.#components
    const { cid, block } = want
    try {
      if (!(await this.#components.mayServe(cid, want.ledger.peerId))) return undefined
      if (!block) return (await store.has(cid)) ? true : undefined
      const data = await store.get(cid)
      return data !== undefined && data.byteLength <= BLOCK_BYTES_MAX ? data : undefined
    } catch (cause) {
      logger.warn('block could not be read', { cid: cid.toString(), error: errorMessage(cause) })
      return undefined
    }
  }

  #hold(ledger: Ledger, bytes: number): void {
    if (ledger.servingBytes === 0) ledger.tookAtMs = this.#components.clock.monotonicMs()
    ledger.servingBytes += bytes
    this.#stats.servingBytes += bytes
    this.#stats.servingBytesPeak = Math.max(this.#stats.servingBytesPeak, this.#stats.servingBytes)
  }

  /** Everything is taken and somebody waits: whoever has taken nothing for long makes room. */
  #abandonStalled(): void {
    const nowMs = this.#components.clock.monotonicMs()
    for (const ledger of this.#ledgers.values()) {
      if (ledger.servingBytes === 0) continue
      const stalledMs = this.#components.stalledMs?.(ledger.peerId) ?? nowMs - ledger.tookAtMs
      if (stalledMs < this.#limits.contendedStallMs) continue
      this.#components.logger.info('dropping a peer that takes nothing', { peer: ledger.peerId })
      this.forget(ledger.peerId)
      this.#components.abandon(ledger.peerId)
    }
  }
}

function answerLength(answer: Answer): number {
  const blocks = answer.blocks.reduce((sum, block) => sum + block.data.byteLength, 0)
  return answer.presences.reduce((sum, entry) => sum + presenceLength(entry), blocks)
}
