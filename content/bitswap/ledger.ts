import type { CID } from 'multiformats/cid'
import { keyOfCid, type BlockKey } from './block-key.ts'

/** One want of one peer. */
export interface LedgerWant {
  readonly key: BlockKey
  readonly ledger: Ledger
  cid: CID
  /** True for WANT-BLOCK. */
  block: boolean
  sendDontHave: boolean
  /** `queued`: to be answered. `serving`: being looked up. `waiting`: we did not have it. `gone`: withdrawn. */
  state: 'queued' | 'serving' | 'waiting' | 'gone'
  /** Something changed while it was being looked up, so it must be looked up again. */
  again: boolean
  /** The peer knows that we did not have it. */
  toldMissing: boolean
}

/** What a peer asked for. */
export interface RequestedWant {
  readonly cid: CID
  readonly type: 'block' | 'have'
  readonly sendDontHave: boolean
}

/** A want that is not yet in its ledger. */
export function createWant(ledger: Ledger, { cid, type, sendDontHave }: RequestedWant): LedgerWant {
  return {
    key: keyOfCid(cid),
    ledger,
    cid,
    block: type === 'block',
    sendDontHave,
    state: 'queued',
    again: false,
    toldMissing: false
  }
}

/** What one peer wants from us. */
export class Ledger {
  readonly peerId: string
  /** Bytes loaded or about to be loaded for this peer that its stream has not taken. */
  servingBytes = 0
  /** When the stream last took something, or when there was nothing to take. */
  tookAtMs = 0
  readonly #wants = new Map<BlockKey, LedgerWant>()
  readonly #queue = new Set<LedgerWant>()

  constructor(peerId: string) {
    this.peerId = peerId
  }

  /** Wants remembered. */
  get size(): number {
    return this.#wants.size
  }

  /** True when there is something to answer. */
  get hasWork(): boolean {
    return this.#queue.size > 0
  }

  get(key: BlockKey): LedgerWant | undefined {
    return this.#wants.get(key)
  }

  /** All wants, oldest first. */
  wants(): Iterable<LedgerWant> {
    return this.#wants.values()
  }

  /** Remembers a want that is not there yet and queues it. */
  add(want: LedgerWant): void {
    this.#wants.set(want.key, want)
    this.enqueue(want)
  }

  /** Puts a want at the end of the queue. */
  enqueue(want: LedgerWant): void {
    want.state = 'queued'
    this.#queue.add(want)
  }

  /** Takes the next want out of the queue. */
  next(): LedgerWant | undefined {
    const first = this.#queue.values().next()
    if (first.done === true) return undefined
    this.#queue.delete(first.value)
    first.value.state = 'serving'
    first.value.again = false
    return first.value
  }

  /** Forgets a want. */
  remove(want: LedgerWant): void {
    want.state = 'gone'
    this.#queue.delete(want)
    if (this.#wants.get(want.key) === want) this.#wants.delete(want.key)
  }
}
