import { join } from 'node:path'
import type { CID } from 'multiformats/cid'
import type { Logger } from '#contracts'
import { checkBlock } from '../block-store.ts'
import { blockKey, checkCid, inlineBlock } from '../cid.ts'
import { ContentError } from '../errors.ts'
import { fileError } from '../files.ts'
import { collectPacks, liveEntries } from './collect.ts'
import { PUT_MANY_BLOCKS_MAX, PUT_MANY_BYTES_MAX } from './constants.ts'
import { adoptFiles, prepareFolder } from './migrate.ts'
import { openPacks } from './open-packs.ts'
import { PackReader } from './pack-reader.ts'
import { PackSet } from './pack-set.ts'
import { PackWriter } from './pack-writer.ts'
import { cidOfRecord, recordBytes } from './record.ts'
import { verifyPacks } from './verify.ts'
import type {
  BlockFound,
  BlockStore,
  BlockToPut,
  PutOptions,
  StoreStat,
  SweepInit,
  SweepResult,
  VerifyInit,
  VerifyResult
} from '../block-store.ts'
import type { FilePowers } from '../files.ts'
import type { Slabs } from '../slabs.ts'

/** What the block store works with. */
export interface PackBlockStoreComponents {
  files: FilePowers
  /** Made when it is missing, `0700`; this store is its only user. */
  folder: string
  logger: Logger
}

/**
 * Opens blocks kept in append-only packs, `docs/protocols/packs.md`. Where each lies is held in memory; what a crash
 * left of the newest pack is read, hashed, and the torn end cut off. Blocks of the layout before are taken over.
 *
 * @throws ContentError `ERR_STORE_VERSION`, `ERR_STORE_IO`, `ERR_PATH_DENIED`, `ERR_DISK_FULL`
 */
export async function openPackBlockStore(components: PackBlockStoreComponents): Promise<BlockStore> {
  const { files, folder, logger } = components
  const set = new PackSet(files, join(folder, 'packs'))
  try {
    await prepareFolder(files, folder)
    const active = await openPacks(set, logger)
    const store = new PackBlockStore(set, new PackWriter(set, active, logger), logger)
    await adoptFiles(components, store)
    return store
  } catch (thrown) {
    await set.open[Symbol.asyncDispose]()
    throw fileError(thrown, `cannot open the block store ${folder}`)
  }
}

class PackBlockStore implements BlockStore {
  readonly #set: PackSet
  readonly #writer: PackWriter
  readonly #reader: PackReader
  readonly #logger: Logger
  /** Puts under way, so that the same block is not appended twice. */
  readonly #putting = new Map<string, Promise<void>>()
  #isSweeping = false

  constructor(set: PackSet, writer: PackWriter, logger: Logger) {
    this.#set = set
    this.#writer = writer
    this.#reader = new PackReader(set, logger)
    this.#logger = logger
  }

  async has(cid: CID): Promise<boolean> {
    return await Promise.resolve(
      inlineBlock(cid) !== undefined || this.#set.find(cid.multihash) !== undefined
    )
  }

  async get(cid: CID): Promise<Uint8Array | undefined> {
    return await this.#reader.get(cid)
  }

  getMany(
    cids: Iterable<CID>,
    { memory }: { readonly memory?: Slabs | undefined } = {}
  ): AsyncIterable<BlockFound> {
    return this.#reader.getMany(cids, memory)
  }

  async makeDurable(cid: CID): Promise<void> {
    checkCid(cid)
    const place = this.#set.peek(cid.multihash)
    if (place !== undefined) {
      const end = place.offset + recordBytes(cid.multihash.digest.length, place.length)
      this.#writer.makeDurable(place, end)
    }
    await Promise.resolve()
  }

  async sizeOf(cid: CID): Promise<number | undefined> {
    return await Promise.resolve((inlineBlock(cid) ?? this.#set.find(cid.multihash))?.length)
  }

  async put(cid: CID, bytes: Uint8Array, options: PutOptions = {}): Promise<void> {
    const { durable = false, isVerified = false } = options
    checkBlock(cid, bytes, isVerified)
    if (inlineBlock(cid) !== undefined) return
    const key = blockKey(cid)
    // Whoever puts it at the same time may have put it for the cache only, or failed.
    for (let other = this.#putting.get(key); other !== undefined; other = this.#putting.get(key)) {
      await other.catch(() => undefined)
    }
    const work = this.#put(cid, bytes, durable)
    this.#putting.set(key, work)
    try {
      await work
    } finally {
      this.#putting.delete(key)
    }
  }

  async putMany(
    blocks: Iterable<BlockToPut> | AsyncIterable<BlockToPut>,
    { durable = false }: Pick<PutOptions, 'durable'> = {}
  ): Promise<number> {
    const underWay = new Set<Promise<void>>()
    const failures: unknown[] = []
    let bytesUnderWay = 0
    let count = 0
    try {
      for await (const { cid, bytes, isVerified = false } of blocks) {
        bytesUnderWay += bytes.length
        const put: Promise<void> = this.put(cid, bytes, { durable, isVerified })
          .catch((thrown: unknown) => void failures.push(thrown))
          .finally(() => {
            bytesUnderWay -= bytes.length
            underWay.delete(put)
          })
        underWay.add(put)
        count++
        while (bytesUnderWay > PUT_MANY_BYTES_MAX || underWay.size > PUT_MANY_BLOCKS_MAX) {
          await Promise.race(underWay)
        }
        if (failures.length > 0) break
      }
    } finally {
      await Promise.all(underWay)
    }
    if (failures.length > 0) throw failures[0]
    if (durable) await this.flush()
    return count
  }

  hold(): Disposable {
    return this.#set.holds.hold()
  }

  async delete(cid: CID): Promise<void> {
    checkCid(cid)
    const place = this.#set.peek(cid.multihash)
    if (place !== undefined) this.#set.drop(cid.multihash, place)
    await Promise.resolve()
  }

  async *list(): AsyncGenerator<CID> {
    for (const pack of this.#set.all()) {
      for (const { id } of await liveEntries({ set: this.#set, writer: this.#writer }, pack))
        yield cidOfRecord(id)
    }
  }

  async flush(): Promise<void> {
    await this.#writer.flush()
  }

  async sweep(init: SweepInit): Promise<SweepResult> {
    if (this.#isSweeping) throw new ContentError('ERR_CONTENT_BUSY', 'a collection runs already')
    this.#isSweeping = true
    try {
      return await collectPacks({ set: this.#set, writer: this.#writer, logger: this.#logger }, init)
    } catch (thrown) {
      throw fileError(thrown, 'cannot collect')
    } finally {
      this.#isSweeping = false
    }
  }

  async verify(init: VerifyInit): Promise<VerifyResult> {
    try {
      return await verifyPacks({ set: this.#set, writer: this.#writer, logger: this.#logger }, init)
    } catch (thrown) {
      throw fileError(thrown, 'cannot verify the blocks')
    }
  }

  stat(): StoreStat {
    const packs = this.#set.all()
    return {
      blocks: this.#set.blocks,
      bytes: packs.reduce((sum, { liveBytes }) => sum + liveBytes, 0),
      bytesOnDisk: packs.reduce((sum, { bytes }) => sum + bytes, 0),
      packs: packs.length
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      await this.#writer[Symbol.asyncDispose]()
    } finally {
      await this.#set.open[Symbol.asyncDispose]()
    }
  }

  async #put(cid: CID, bytes: Uint8Array, durable: boolean): Promise<void> {
    const place = this.#set.find(cid.multihash)
    if (place === undefined || !(await this.#reader.equals(cid, place, bytes))) {
      await this.#writer.append({ cid, bytes, durable })
      return
    }
    if (durable) await this.makeDurable(cid)
  }
}
