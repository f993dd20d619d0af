import type { CID } from 'multiformats/cid'
import { checkBlock } from './block-store.ts'
import { blockKey, checkCid, cidFromBlockKey, inlineBlock } from './cid.ts'
import { Holds } from './store/holds.ts'
import type {
  BlockFound,
  BlockStore,
  BlockToPut,
  PutOptions,
  StoreStat,
  SweepInit,
  SweepResult,
  VerifyResult
} from './block-store.ts'

/** A block store in memory, for simulation and tests; it loses everything when it is dropped. */
export function createMemoryBlockStore(): BlockStore {
  return new MemoryBlockStore()
}

interface Kept {
  readonly bytes: Uint8Array
  /** When it was last used, as {@link Holds} counts. */
  touched: number
}

class MemoryBlockStore implements BlockStore {
  readonly #blocks = new Map<string, Kept>()
  readonly #holds = new Holds()

  async has(cid: CID): Promise<boolean> {
    return await Promise.resolve(this.#find(cid) !== undefined)
  }

  async get(cid: CID): Promise<Uint8Array | undefined> {
    checkCid(cid)
    return await Promise.resolve(this.#find(cid))
  }

  async put(cid: CID, bytes: Uint8Array, { isVerified = false }: PutOptions = {}): Promise<void> {
    checkBlock(cid, bytes, isVerified)
    if (this.#find(cid) === undefined) {
      this.#blocks.set(blockKey(cid), { bytes: new Uint8Array(bytes), touched: this.#holds.now })
    }
    await Promise.resolve()
  }

  async putMany(blocks: Iterable<BlockToPut> | AsyncIterable<BlockToPut>): Promise<number> {
    let count = 0
    for await (const { cid, bytes, isVerified = false } of blocks) {
      await this.put(cid, bytes, { isVerified })
      count++
    }
    return count
  }

  async *getMany(cids: Iterable<CID>): AsyncGenerator<BlockFound> {
    for (const cid of cids) yield { cid, bytes: await this.get(cid) }
  }

  async makeDurable(): Promise<void> {
    await Promise.resolve()
  }

  async sizeOf(cid: CID): Promise<number | undefined> {
    return await Promise.resolve(this.#find(cid)?.length)
  }

  hold(): Disposable {
    return this.#holds.hold()
  }

  async delete(cid: CID): Promise<void> {
    await Promise.resolve(this.#blocks.delete(blockKey(cid)))
  }

  async *list(): AsyncGenerator<CID> {
    for (const key of [...this.#blocks.keys()]) {
      const cid = cidFromBlockKey(key)
      if (cid !== undefined) yield await Promise.resolve(cid)
    }
  }

  async sweep({ isKept, signal }: SweepInit): Promise<SweepResult> {
    const spared = this.#holds.begin()
    let blocksRemoved = 0
    let bytesFreed = 0
    for (const [key, kept] of [...this.#blocks]) {
      signal.throwIfAborted()
      const cid = cidFromBlockKey(key)
      if (cid === undefined || kept.touched >= spared || (await isKept(cid))) continue
      // It may have been used while the answer was on its way.
      if (kept.touched >= spared || !this.#blocks.delete(key)) continue
      blocksRemoved++
      bytesFreed += kept.bytes.length
    }
    return { blocksKept: this.#blocks.size, blocksRemoved, bytesFreed }
  }

  async verify(): Promise<VerifyResult> {
    const { blocks, bytes } = this.stat()
    return await Promise.resolve({ blocks, bytes, corrupt: [] })
  }

  stat(): StoreStat {
    let bytes = 0
    for (const kept of this.#blocks.values()) bytes += kept.bytes.length
    return { blocks: this.#blocks.size, bytes, bytesOnDisk: 0, packs: 0 }
  }

  async flush(): Promise<void> {
    await Promise.resolve()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.resolve()
  }

  #find(cid: CID): Uint8Array | undefined {
    const inline = inlineBlock(cid)
    const kept = inline === undefined ? this.#blocks.get(blockKey(cid)) : undefined
    if (kept !== undefined) kept.touched = this.#holds.now
    return inline ?? kept?.bytes
  }
}
