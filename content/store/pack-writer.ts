import type { CID } from 'multiformats/cid'
import { errorMessage } from '#contracts'
import type { Logger } from '#contracts'
import { ContentError } from '../errors.ts'
import { fileError } from '../files.ts'
import {
  PACK_BYTES_MAX,
  PACK_RECORDS_MAX,
  RUN_BYTES_MAX,
  RUN_RECORDS_MAX,
  SYNC_BYTES,
  UNSYNCED_BYTES_MAX
} from './constants.ts'
import { IndexEntries, writeIndexFile } from './index-file.ts'
import { storeClosed } from './pack.ts'
import { encodeHeader, PACK_MAGIC } from './record.ts'
import type { Place } from './block-index.ts'
import type { IndexEntry } from './index-file.ts'
import type { OpenedPack } from './open-packs.ts'
import type { Pack } from './pack.ts'
import type { PackSet } from './pack-set.ts'

/** A block to append. */
export interface Append {
  readonly cid: CID
  readonly bytes: Uint8Array
  readonly durable: boolean
  /** A collection moves it from there: the copy counts only if the block lies there still. */
  readonly movedFrom?: Place
}

interface Waiting extends Append {
  readonly header: Uint8Array
  readonly done: PromiseWithResolvers<undefined>
}

/**
 * Appends blocks to the newest pack. What is asked for at the same time is one write. A block is found from the
 * moment its write is over; a crash after that loses it only if the machine loses power before the next flush.
 */
export class PackWriter implements AsyncDisposable {
  readonly #set: PackSet
  readonly #logger: Logger
  #active: OpenedPack | undefined
  #queue: Waiting[] = []
  #isDraining = false
  /** Writes and seals, one after the other. */
  #work: Promise<unknown> = Promise.resolve()
  #syncing: Promise<void> = Promise.resolve()
  #nextSync: Promise<void> | undefined
  /** Packs with blocks that the next flush must force to the disk. */
  readonly #dirty = new Set<Pack>()
  /** Index files being written, and what goes into them. */
  readonly #sealing = new Map<Pack, { readonly entries: IndexEntries; readonly written: Promise<void> }>()
  /** A pack was made, now or by a process before that was killed, and its name may not be on the disk yet. */
  #isFolderDirty = true
  /** A disk that failed to take what it had acknowledged is not trusted again until the next start. */
  #failure: Error | undefined
  #closed: Promise<void> | undefined

  constructor(set: PackSet, active: OpenedPack | undefined, logger: Logger) {
    this.#set = set
    this.#active = active
    this.#logger = logger
  }

  /**
   * Appends a block.
   *
   * @throws ContentError `ERR_DISK_FULL`, `ERR_STORE_IO`; `ERR_CONTENT_CLOSED` once it is disposed
   */
  async append(block: Append): Promise<void> {
    if (block.durable && this.#unsyncedBytes() > UNSYNCED_BYTES_MAX) await this.flush()
    if (this.#closed !== undefined) throw storeClosed()
    if (this.#failure !== undefined) throw this.#failure
    const done = Promise.withResolvers<undefined>()
    this.#queue.push({ ...block, header: encodeHeader(block.cid, block.bytes), done })
    if (!this.#isDraining) {
      this.#isDraining = true
      void this.#serially(async () => await this.#drain())
    }
    await done.promise
  }

  /** Sees to it that a block which is here already is on the disk after the next flush. */
  makeDurable(place: Place, end: number): void {
    const pack = this.#set.packOf(place)
    if (end <= pack.syncedBytes) return
    pack.durableBytes = Math.max(pack.durableBytes, end)
    this.#dirty.add(pack)
  }

  /**
   * Resolves when every durable block appended before is on the disk.
   *
   * @throws ContentError `ERR_STORE_IO`; then what was appended since the flush before is not kept
   */
  async flush(): Promise<void> {
    // One runs and one waits, which begins after everything that was appended until then.
    this.#nextSync ??= this.#syncing.then(async () => {
      this.#nextSync = undefined
      const sync = this.#sync()
      this.#syncing = sync.catch(() => undefined)
      await sync
    })
    await this.#nextSync
  }

  /** What was appended to a pack whose index file is not written yet; `undefined` for every other pack. */
  entriesOf(pack: Pack): IndexEntry[] | undefined {
    const { entries } = pack === this.#active?.pack ? this.#active : (this.#sealing.get(pack) ?? {})
    return entries === undefined ? undefined : [...entries.all()]
  }

  /** Ends the pack that is written to; what comes next goes to a new one. Resolves when its index file is written. */
  async seal(): Promise<void> {
    await this.#serially(async () => {
      if (this.#active !== undefined && this.#active.entries.count > 0) this.#seal(this.#active)
      await Promise.resolve()
    })
    await this.#sealed()
  }

  /** Writes what waits, forces it to the disk, and notes what the newest pack holds; takes nothing more. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed ??= this.#close()
    await this.#closed
  }

  async #close(): Promise<void> {
    await this.#work
    await this.flush()
    await this.#sealed()
    if (this.#active !== undefined && this.#active.pack.bytes > 0) await this.#index(this.#active)
  }

  async #drain(): Promise<void> {
    while (this.#queue.length > 0) await this.#write(this.#take())
    this.#isDraining = false
  }

  #take(): Waiting[] {
    let bytes = 0
    let count = 0
    for (const {
      bytes: { length }
    } of this.#queue) {
      if (count >= RUN_RECORDS_MAX || (count > 0 && bytes + length > RUN_BYTES_MAX)) break
      bytes += length
      count++
    }
    return this.#queue.splice(0, count)
  }

  async #write(batch: readonly Waiting[]): Promise<void> {
    try {
      const { pack, entries } = this.#room(batch)
      const parts = batch.flatMap(({ header, bytes }) => [header, bytes])
      const start = pack.bytes === 0 ? PACK_MAGIC.length : pack.bytes
      if (pack.bytes === 0) parts.unshift(PACK_MAGIC)
      await this.#set.open.use(pack, async (file) => {
        try {
          await file.writeAt(parts, pack.bytes)
        } catch (thrown) {
          await file.truncate(pack.bytes).catch(() => undefined)
          throw thrown
        }
      })
      this.#place(batch, { pack, entries, start })
    } catch (thrown) {
      for (const { done } of batch) done.reject(fileError(thrown, 'cannot store a block'))
      return
    }
    for (const { done } of batch) done.resolve(undefined)
    if (this.#unsyncedBytes() > SYNC_BYTES) void this.flush().catch(() => undefined)
  }

  #place(batch: readonly Waiting[], o: OpenedPack & { start: number }): void {
    const { pack, entries } = o
    let offset = o.start
    for (const { cid, bytes, header, durable, movedFrom } of batch) {
      const { multihash: id } = cid
      const place = { pack: pack.number, offset, length: bytes.length }
      entries.add({ id, offset, length: bytes.length })
      offset += header.length + bytes.length
      if (movedFrom === undefined) this.#set.put(id, place)
      else if (this.#set.isAt(id, movedFrom)) this.#set.put(id, place, this.#set.touchedAt(id))
      if (durable) pack.durableBytes = offset
    }
    pack.bytes = offset
    if (pack.durableBytes > pack.syncedBytes) this.#dirty.add(pack)
  }

  /** The pack that takes these; a full one is sealed first. */
  #room(batch: readonly Waiting[]): OpenedPack {
    const bytes = batch.reduce((sum, block) => sum + block.header.length + block.bytes.length, 0)
    const active = this.#active
    if (active !== undefined) {
      const isRoom =
        active.pack.bytes + bytes <= PACK_BYTES_MAX && active.entries.count + batch.length <= PACK_RECORDS_MAX
      if (isRoom || active.entries.count === 0) return active
      this.#seal(active)
    }
    this.#isFolderDirty = true
    this.#active = { pack: this.#set.add(), entries: new IndexEntries() }
    return this.#active
  }

  #seal(active: OpenedPack): void {
    if (this.#active === active) this.#active = undefined
    active.pack.isSealed = true
    const written = this.#index(active).finally(() => this.#sealing.delete(active.pack))
    this.#sealing.set(active.pack, { entries: active.entries, written })
  }

  async #sealed(): Promise<void> {
    await Promise.all([...this.#sealing.values()].map(async ({ written }) => await written))
  }

  /** An index file only saves time at the next start: when it cannot be written, the pack is read instead. */
  async #index({ pack, entries }: OpenedPack): Promise<void> {
    try {
      const coveredBytes = pack.bytes
      await this.#syncPack(pack, coveredBytes)
      await writeIndexFile(this.#set.files, pack, { coveredBytes, entries })
    } catch (thrown) {
      this.#logger.warn('could not index a pack', { path: pack.path, reason: errorMessage(thrown) })
    }
  }

  #unsyncedBytes(): number {
    let bytes = 0
    for (const { durableBytes, syncedBytes } of this.#dirty) bytes += Math.max(0, durableBytes - syncedBytes)
    return bytes
  }

  async #sync(): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure
    for (const pack of [...this.#dirty]) await this.#syncPack(pack, pack.bytes)
    if (!this.#isFolderDirty) return
    this.#isFolderDirty = false
    try {
      await this.#set.files.flush(this.#set.folder)
    } catch (thrown) {
      throw this.#distrust(thrown)
    }
  }

  async #syncPack(pack: Pack, upTo: number): Promise<void> {
    try {
      await this.#set.open.use(pack, async (file) => await file.flush())
    } catch (thrown) {
      if (this.#set.has(pack)) throw this.#distrust(thrown)
      // A collection has removed it: what lived there lies elsewhere, on the disk.
      this.#dirty.delete(pack)
      return
    }
    pack.syncedBytes = Math.max(pack.syncedBytes, upTo)
    if (pack.durableBytes <= pack.syncedBytes) this.#dirty.delete(pack)
  }

  /**
   * After a failed fsync the system counts the pages as written although they are not, so trying again would
   * succeed and mean nothing. Nothing more is promised; the next start reads the disk.
   */
  #distrust(thrown: unknown): Error {
    if (this.#failure !== undefined) return this.#failure
    this.#logger.error('the disk failed to keep blocks', { reason: errorMessage(thrown) })
    this.#failure = new ContentError(
      'ERR_STORE_IO',
      `cannot force blocks to the disk: ${errorMessage(thrown)}; nothing is kept until the node starts again`,
      { cause: thrown }
    )
    return this.#failure
  }

  async #serially<T>(task: () => Promise<T>): Promise<T> {
    const work = this.#work.then(task)
    this.#work = work.catch(() => undefined)
    return await work
  }
}
