import type { Clock } from '#contracts'
import type { CID } from 'multiformats/cid'
import { FIRST_STORED_AFTER_MS } from './constants.ts'
import type { BlockStore } from '../block-store.ts'

/** A block that came. */
export interface ArrivedBlock {
  readonly cid: CID
  readonly key: string
  readonly bytes: Uint8Array
  /** Somebody has its bytes already, or waits for no more than that it is stored. */
  readonly taken: 'not' | 'bytes' | 'unread'
  /** Its bytes are needed no more. */
  readonly release?: (() => void) | undefined
  /** Called once it is in the store. */
  onStored(this: void): void
}

/** What blocks are kept with until they are stored and taken. */
export interface AheadInit {
  readonly clock: Pick<Clock, 'after'>
  readonly store: BlockStore
  readonly durable: boolean
  readonly bytesMax: number
  /** The store takes no more. */
  onFailed(this: void, reason: unknown): void
}

interface Entry {
  readonly bytes: Uint8Array
  /** Called once nobody needs the bytes; not there when somebody was given them, who may need them for ever. */
  release: (() => void) | undefined
  isStored: boolean
  isTaken: boolean
  whenStored?: PromiseWithResolvers<undefined>
}

/**
 * Blocks that came and that nobody has taken, or the store not yet. They are stored in the order in which they came,
 * as many at a time as came while those before were stored. The first waits a moment: who reads it needs what follows it
 * sooner than it needs to be on the disk.
 */
export class Ahead {
  readonly #init: AheadInit
  readonly #entries = new Map<string, Entry>()
  #bytes = 0
  #queue: ArrivedBlock[] = []
  #storing: Promise<void> | undefined
  /** Storing begins then. */
  #begin: Disposable | undefined
  #hasBegun = false

  constructor(init: AheadInit) {
    this.#init = init
  }

  /** Whether more are here that nobody has taken than there should be. */
  get isFull(): boolean {
    return this.#bytes > this.#init.bytesMax
  }

  /** Keeps a block that came. */
  add(block: ArrivedBlock): void {
    const { key, bytes, taken } = block
    const isTaken = taken !== 'not'
    const release = taken === 'bytes' ? undefined : block.release
    this.#entries.set(key, { bytes, release, isStored: false, isTaken })
    if (!isTaken) this.#bytes += bytes.length
    this.#queue.push(block)
    this.#storeSoon()
  }

  /** The block, when it is here still. */
  take(key: string): Uint8Array | undefined {
    const entry = this.#entries.get(key)
    if (entry === undefined) return undefined
    entry.release = undefined
    this.#leave(key, entry)
    return entry.bytes
  }

  /** Whether the block is here still. */
  has(key: string): boolean {
    return this.#entries.has(key)
  }

  /** Nobody will take the block, which is only to be stored; resolves once it is, or nothing more is stored. */
  async stored(key: string): Promise<void> {
    const entry = this.#entries.get(key)
    if (entry === undefined) return
    this.#leave(key, entry)
    if (entry.isStored) return
    entry.whenStored ??= Promise.withResolvers()
    this.#storeNow()
    await entry.whenStored.promise
  }

  /** As {@link take}, and it stays. */
  peek(key: string): Uint8Array | undefined {
    return this.#entries.get(key)?.bytes
  }

  /** Forgets the oldest that can be read from the store, until there are no more than there should be. */
  evict(): void {
    for (const [key, entry] of this.#entries) {
      if (!this.isFull) return
      if (entry.isStored) this.#leave(key, entry)
    }
  }

  /** Resolves when nothing is being stored. */
  async settled(): Promise<void> {
    this.#storeNow()
    await this.#storing
  }

  /** Begins to store in another turn: whoever waits for the block that came goes on before that. */
  #storeSoon(): void {
    if (this.#storing !== undefined) return
    const isFirst = !this.#hasBegun && this.#queue.length === 1
    const isDue = this.#begin !== undefined && this.#queue.length > 2
    if (isDue) return
    // What follows the first is here with the second.
    this.#begin?.[Symbol.dispose]()
    this.#begin = this.#init.clock.after(isFirst ? FIRST_STORED_AFTER_MS : 0, () => this.#storeNow())
  }

  #storeNow(): void {
    this.#begin?.[Symbol.dispose]()
    this.#begin = undefined
    if (this.#queue.length === 0) return
    this.#hasBegun = true
    this.#storing ??= this.#store()
  }

  #leave(key: string, entry: Entry): void {
    if (!entry.isTaken) this.#bytes -= entry.bytes.length
    entry.isTaken = true
    if (entry.isStored) this.#forget(key, entry)
  }

  #forget(key: string, entry: Entry): void {
    this.#entries.delete(key)
    entry.release?.()
  }

  async #store(): Promise<void> {
    try {
      while (this.#queue.length > 0) {
        const batch = this.#queue
        this.#queue = []
        await this.#put(batch)
        for (const { key, onStored } of batch) {
          const entry = this.#entries.get(key)
          if (entry !== undefined) entry.isStored = true
          if (entry?.isTaken === true) this.#forget(key, entry)
          entry?.whenStored?.resolve(undefined)
          onStored()
        }
      }
    } catch (thrown) {
      this.#queue = []
      this.#init.onFailed(thrown)
      for (const { whenStored } of this.#entries.values()) whenStored?.resolve(undefined)
    } finally {
      this.#storing = undefined
    }
  }

  async #put(batch: readonly ArrivedBlock[]): Promise<void> {
    const { store, durable } = this.#init
    const blocks = batch.map(({ cid, bytes }) => ({ cid, bytes, isVerified: true }))
    // What is pinned is flushed once, at its end.
    if (durable)
      await Promise.all(blocks.map(({ cid, bytes }) => store.put(cid, bytes, { isVerified: true, durable })))
    else await store.putMany(blocks)
  }
}
