import type { CID } from 'multiformats/cid'
import { checkCid, matchesCid } from './cid.ts'
import { BLOCK_BYTES_MAX } from './constants.ts'
import { ContentError } from './errors.ts'
import type { Slabs } from './slabs.ts'

/** How a block is put. */
export interface PutOptions {
  /** After the next {@link BlockStore.flush} the block survives a power cut. Cached blocks need not. */
  durable?: boolean
  /** The caller has just hashed these bytes against this CID. */
  isVerified?: boolean
}

/** One block of {@link BlockStore.putMany}. */
export interface BlockToPut {
  readonly cid: CID
  readonly bytes: Uint8Array
  /** The caller has just hashed these bytes against this CID. */
  readonly isVerified?: boolean
}

/** One answer of {@link BlockStore.getMany}. */
export interface BlockFound {
  readonly cid: CID
  /** `undefined` when it is not there. The caller must not write into them. */
  readonly bytes: Uint8Array | undefined
  /** The caller needs the bytes no more: their memory may be used for others. It need not be called. */
  release?(this: void): void
}

/** What {@link BlockStore.sweep} goes by. */
export interface SweepInit {
  /** Whether something keeps that block. */
  isKept(cid: CID): Promise<boolean>
  signal: AbortSignal
}

/** What a sweep did. */
export interface SweepResult {
  readonly blocksKept: number
  readonly blocksRemoved: number
  /** Bytes of disk given back. */
  readonly bytesFreed: number
}

/** How {@link BlockStore.verify} runs. */
export interface VerifyInit {
  signal: AbortSignal
  onProgress?: ((progress: { readonly blocks: number; readonly bytes: number }) => void) | undefined
}

/** What a verification found. */
export interface VerifyResult {
  /** Blocks that hash to their names, and their bytes. */
  readonly blocks: number
  readonly bytes: number
  /** Blocks that did not, as raw-codec CIDs; they have been removed. */
  readonly corrupt: readonly CID[]
}

/** What a store holds. */
export interface StoreStat {
  readonly blocks: number
  /** Bytes of the blocks with what is kept beside each. */
  readonly bytes: number
  /** Bytes of the files that hold blocks. */
  readonly bytesOnDisk: number
  /** Files that hold blocks. */
  readonly packs: number
}

/**
 * Blocks by multihash. Implementations: packs, memory; every one passes `test/contract/block-store.ts`.
 *
 * Invariant: `get` never returns bytes that do not hash to the CID asked for.
 */
export interface BlockStore extends AsyncDisposable {
  /** Whether a block is there; not whether it is intact. */
  has(cid: CID): Promise<boolean>
  /**
   * The block, or `undefined` when it is not there. The caller must not write into the bytes.
   *
   * @throws ContentError `ERR_BLOCK_CORRUPT` when what is there does not hash to `cid`; it has been removed then
   */
  get(cid: CID): Promise<Uint8Array | undefined>
  /**
   * Keeps a block. Putting one that is there costs little; a corrupt one is replaced. The store keeps no
   * reference to `bytes` after it resolves.
   *
   * @throws ContentError `ERR_BLOCK_MISMATCH`, `ERR_BLOCK_TOO_LARGE`, `ERR_DISK_FULL`, `ERR_STORE_IO`
   */
  put(cid: CID, bytes: Uint8Array, options?: PutOptions): Promise<void>
  /**
   * Puts many, in their order, in few large writes, with few of them in memory; with `durable` all of them are on
   * the disk when it resolves. Resolves with how many came. After a failure those before it may have been kept.
   *
   * @throws what {@link BlockStore.put} throws, and whatever `blocks` throws
   */
  putMany(
    blocks: Iterable<BlockToPut> | AsyncIterable<BlockToPut>,
    options?: Pick<PutOptions, 'durable'>
  ): Promise<number>
  /**
   * Reads many, in the order asked; blocks that lie one after the other are one read, and one read is ahead of
   * the reader.
   *
   * @param options.memory - what to read into; fresh memory when absent
   * @throws ContentError `ERR_BLOCK_CORRUPT` as {@link BlockStore.get}
   */
  getMany(cids: Iterable<CID>, options?: { readonly memory?: Slabs | undefined }): AsyncIterable<BlockFound>
  /** Of a block that is here it sees to it that it survives a power cut after the next {@link BlockStore.flush}; a missing one is fine. */
  makeDurable(cid: CID): Promise<void>
  /** Bytes of a block, without reading it; `undefined` when it is not there. */
  sizeOf(cid: CID): Promise<number | undefined>
  /** Until it is disposed, no collection removes what was put, found or read meanwhile. */
  hold(): Disposable
  /** Removes a block; a missing one is fine. */
  delete(cid: CID): Promise<void>
  /** Every block once, as a raw-codec CID, in no order; blocks put or deleted meanwhile may or may not come. */
  list(): AsyncIterable<CID>
  /**
   * Removes what nothing keeps and no {@link BlockStore.hold} spares, while others read and put. One at a time.
   *
   * @throws ContentError `ERR_CONTENT_BUSY` when one runs; `ERR_DISK_FULL` when there was no room to move what is
   *   kept, after everything else was done; `ERR_STORE_IO`; whatever `isKept` throws
   */
  sweep(init: SweepInit): Promise<SweepResult>
  /**
   * Hashes every block.
   *
   * @throws ContentError `ERR_STORE_IO`
   */
  verify(init: VerifyInit): Promise<VerifyResult>
  stat(): StoreStat
  /** Resolves when all that was put durably, or made durable, before is on the disk. */
  flush(): Promise<void>
}

/**
 * Checks a block before it is stored.
 *
 * @throws ContentError `ERR_BLOCK_TOO_LARGE`, `ERR_BLOCK_MISMATCH`, `ERR_CID_UNSUPPORTED`
 */
export function checkBlock(cid: CID, bytes: Uint8Array, isVerified: boolean): void {
  checkCid(cid)
  if (bytes.length > BLOCK_BYTES_MAX) {
    throw new ContentError(
      'ERR_BLOCK_TOO_LARGE',
      `expected a block of at most ${BLOCK_BYTES_MAX} bytes and got ${bytes.length}`
    )
  }
  if (!isVerified && !matchesCid(cid, bytes)) {
    throw new ContentError('ERR_BLOCK_MISMATCH', `expected bytes that hash to ${cid.toString()}`)
  }
}
