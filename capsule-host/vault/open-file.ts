import { FileError } from '../files/errors.ts'
import { freeBlock, type BlockStore } from './block-store.ts'
import type { BlockLabel, BlockRef, LabelledRef } from './block.ts'
import {
  cutChunk,
  writeIntoChunk,
  type CachedChunk,
  type ChunkCache,
  type ChunkOwner
} from './chunk-cache.ts'
import { ChunkIndex, type ContentPlace } from './chunk-index.ts'
import { BATCH_BYTES_MAX, CHUNK_BYTES, FILE_BYTES_MAX, UNIT_BYTES } from './constants.ts'
import { pickTimes, type Entry, type EntryTimes } from './entry.ts'
import type { Draft } from './space.ts'

/** What {@link OpenFile} works with. */
export interface OpenFileComponents {
  readonly blocks: BlockStore
  readonly cache: ChunkCache
  readonly draft: Draft
  readonly nowNs: () => bigint
  /** Counts bytes that the file gains or loses. @throws FileError `ERR_FILE_QUOTA` */
  readonly count: (bytes: number) => void
}

/**
 * A file that is open. What is written stays a draft beside the published file until {@link publish}: whatever happens
 * before, the disk has the whole old file. One caller at a time.
 */
export class OpenFile implements ChunkOwner {
  readonly inode: number
  readonly #components: OpenFileComponents
  readonly #index: ChunkIndex
  #bytes: number
  #times: EntryTimes
  #publishedBytes: number
  #isChanged = false
  #failure: Error | undefined
  /** How many handles it has. */
  handleCount = 0
  /** Where its entry is; `undefined` when its name was removed. */
  place: { readonly folder: number; readonly name: string } | undefined

  constructor(
    components: OpenFileComponents,
    entry: Entry,
    place: { readonly folder: number; readonly name: string }
  ) {
    this.#components = components
    this.inode = entry.inode
    this.place = place
    this.#bytes = this.#publishedBytes = entry.bytes
    this.#times = pickTimes(entry)
    const { blocks, draft } = components
    this.#index = new ChunkIndex({ blocks, units: draft, inode: entry.inode }, entry)
  }

  get bytes(): number {
    return this.#bytes
  }

  /** Bytes of the file as it is published. */
  get publishedBytes(): number {
    return this.#publishedBytes
  }

  get times(): EntryTimes {
    return this.#times
  }

  /** What kept a write from being whole since the file was published last: closing it must not replace the old one. */
  get failure(): Error | undefined {
    return this.#failure
  }

  /** Whether there is something to publish. */
  get isChanged(): boolean {
    return this.#isChanged
  }

  /** Up to `length` bytes from `offset`. @throws FileError `ERR_FILE_CORRUPT`, `ERR_FILE_IO` */
  async read(offset: number, length: number): Promise<Uint8Array> {
    const end = Math.min(this.#bytes, offset + length)
    if (offset >= end) return new Uint8Array(0)
    const target = new Uint8Array(end - offset)
    for (let at = offset; at < end;) at += await this.#readSome(at, target.subarray(at - offset))
    await this.#index.settle()
    return target
  }

  /** Puts `bytes` at `offset`. @throws FileError `ERR_FILE_TOO_LARGE`, `ERR_FILE_QUOTA`, `ERR_FILE_NO_SPACE` */
  async write(offset: number, bytes: Uint8Array): Promise<void> {
    const end = offset + bytes.byteLength
    checkSize(end)
    if (bytes.byteLength === 0) return
    const grown = Math.max(0, end - this.#bytes)
    this.#components.count(grown)
    let at = offset
    try {
      while (at < end) at += await this.#writeSome(at, bytes.subarray(at - offset))
    } catch (thrown) {
      this.#failure = thrown instanceof Error ? thrown : new Error('a write failed', { cause: thrown })
      throw thrown
    } finally {
      // What could not be written is not counted.
      this.#components.count(Math.max(this.#bytes, at) - this.#bytes - grown)
      this.#bytes = Math.max(this.#bytes, at)
    }
  }

  /** Cuts the file or lengthens it with zeros. @throws as {@link write} */
  async truncate(bytes: number): Promise<void> {
    checkSize(bytes)
    this.#components.count(Math.max(0, bytes - this.#bytes))
    if (bytes < this.#bytes) {
      await this.#cut(bytes)
      this.#components.count(bytes - this.#bytes)
    }
    this.#bytes = bytes
    this.#touch()
  }

  setTimes(times: EntryTimes): void {
    this.#times = times
    this.#isChanged = true
  }

  async flushChunks(): Promise<void> {
    const { blocks, cache, draft } = this.#components
    const chunks = cache.chunksOf(this).filter((chunk) => chunk.isChanged)
    const written = chunks.filter((chunk) => chunk.length > 0)
    const refs = await blocks.write(
      written.map((chunk) => ({
        label: this.#labelOf(chunk.index),
        plain: chunk.bytes.subarray(0, chunk.length)
      })),
      { units: draft, isSparing: true }
    )
    const refOf = new Map<CachedChunk, BlockRef | undefined>(written.map((chunk, at) => [chunk, refs[at]]))
    for (const chunk of chunks) {
      await this.#index.set(chunk.index, refOf.get(chunk))
      chunk.isChanged = false
    }
    await this.#index.settle()
  }

  /** Writes all that was changed, so that the entry can refer to it. @throws FileError `ERR_FILE_NO_SPACE` */
  async flush(): Promise<ContentPlace> {
    await this.flushChunks()
    return await this.#index.flush()
  }

  /** The entry now refers to what {@link flush} wrote. */
  published(): void {
    this.#publishedBytes = this.#bytes
    this.#isChanged = false
    this.#failure = undefined
    this.#components.draft.publish()
  }

  /** Gives back all that the file has on the disk; for one whose name was removed. @throws FileError `ERR_FILE_CORRUPT` */
  async release(): Promise<void> {
    const { draft } = this.#components
    for await (const ref of this.#index.refs()) freeBlock(ref, draft)
    draft.publish()
  }

  /** Lets go of what is in memory and was not published. */
  end(): void {
    const { cache, draft } = this.#components
    for (const chunk of cache.chunksOf(this)) cache.drop(chunk)
    draft.end()
  }

  async #readSome(at: number, target: Uint8Array): Promise<number> {
    const { cache } = this.#components
    const index = Math.floor(at / CHUNK_BYTES)
    const from = at % CHUNK_BYTES
    const cached = cache.get(this, index)
    if (cached !== undefined) return copyInto(target, cached.bytes.subarray(from, cached.length), from)
    const run = await this.#runFrom(index, from + target.byteLength)
    const first = run[0]
    if (first === undefined) return copyInto(target, new Uint8Array(0), from)
    if (run.length === 1 && (from > 0 || target.byteLength < first.ref.length)) {
      const chunk = await this.#cached(index, first.ref)
      return copyInto(target, chunk.bytes.subarray(from, chunk.length), from)
    }
    let filled = 0
    for (const plain of await this.#components.blocks.readRun(run)) {
      filled += copyInto(
        target.subarray(filled),
        filled === 0 ? plain.subarray(from) : plain,
        filled === 0 ? from : 0
      )
    }
    return filled
  }

  /** Blocks of chunks from `index` on that lie side by side on the disk and are not in memory, for `length` bytes. */
  async #runFrom(index: number, length: number): Promise<LabelledRef[]> {
    const run: LabelledRef[] = []
    const count = Math.ceil(Math.min(length, BATCH_BYTES_MAX) / CHUNK_BYTES)
    for (let at = index; at < index + count; at++) {
      if (at > index && this.#components.cache.get(this, at) !== undefined) break
      const ref = await this.#index.get(at)
      const last = run.at(-1)?.ref
      const isNext =
        last === undefined ||
        (last.length === CHUNK_BYTES && ref?.unit === last.unit + CHUNK_BYTES / UNIT_BYTES)
      if (ref === undefined || !isNext) break
      run.push({ ref, label: this.#labelOf(at) })
    }
    return run
  }

  async #writeSome(at: number, source: Uint8Array): Promise<number> {
    const index = Math.floor(at / CHUNK_BYTES)
    const from = at % CHUNK_BYTES
    const wholeCount = from === 0 ? Math.floor(source.byteLength / CHUNK_BYTES) : 0
    if (wholeCount > 0) return await this.#writeWhole(index, source.subarray(0, wholeCount * CHUNK_BYTES))
    const piece = source.subarray(0, CHUNK_BYTES - from)
    writeIntoChunk(await this.#chunkToChange(index), from, piece)
    this.#touch()
    return piece.byteLength
  }

  /** Writes whole chunks past the cache, some at a time. */
  async #writeWhole(index: number, source: Uint8Array): Promise<number> {
    const { blocks, cache, draft } = this.#components
    const plain = source.subarray(0, BATCH_BYTES_MAX)
    const count = plain.byteLength / CHUNK_BYTES
    const refs = await blocks.write(
      Array.from({ length: count }, (_, at) => ({
        label: this.#labelOf(index + at),
        plain: plain.subarray(at * CHUNK_BYTES, (at + 1) * CHUNK_BYTES)
      })),
      { units: draft, isSparing: true }
    )
    for (const [at, ref] of refs.entries()) {
      const cached = cache.get(this, index + at)
      if (cached !== undefined) cache.drop(cached)
      await this.#index.set(index + at, ref)
    }
    this.#touch()
    await this.#index.settle()
    return plain.byteLength
  }

  async #chunkToChange(index: number): Promise<CachedChunk> {
    const { cache } = this.#components
    const cached = cache.get(this, index)
    if (cached !== undefined) return cached
    const ref = await this.#index.get(index)
    if (ref !== undefined) return await this.#cached(index, ref)
    await cache.makeRoom()
    return cache.add(this, index, new Uint8Array(0))
  }

  async #cached(index: number, ref: BlockRef): Promise<CachedChunk> {
    const { blocks, cache } = this.#components
    const plain = await blocks.read({ ref, label: this.#labelOf(index) })
    await cache.makeRoom()
    return cache.add(this, index, plain)
  }

  async #cut(bytes: number): Promise<void> {
    const { cache } = this.#components
    const chunkCount = Math.ceil(bytes / CHUNK_BYTES)
    const left = bytes % CHUNK_BYTES
    // Read first: nothing is cut when that fails.
    if (left > 0) {
      const chunk = cache.get(this, chunkCount - 1)
      const ref = chunk === undefined ? await this.#index.get(chunkCount - 1) : undefined
      if (chunk !== undefined) cutChunk(chunk, left)
      else if (ref !== undefined) cutChunk(await this.#cached(chunkCount - 1, ref), left)
    }
    for (const chunk of cache.chunksOf(this)) if (chunk.index >= chunkCount) cache.drop(chunk)
    await this.#index.cut(chunkCount)
  }

  #touch(): void {
    const nowNs = this.#components.nowNs()
    this.#times = { ...this.#times, modifiedNs: nowNs, changedNs: nowNs }
    this.#isChanged = true
  }

  #labelOf(index: number): BlockLabel {
    return { kind: 'chunk', file: this.inode, level: 0, position: index }
  }
}

/** Puts what is stored of a chunk from `from` on into `target`, zeros behind it, and returns how much that was. */
function copyInto(target: Uint8Array, stored: Uint8Array, from: number): number {
  const length = Math.min(target.byteLength, CHUNK_BYTES - from)
  target.set(stored.subarray(0, length))
  return length
}

function checkSize(bytes: number): void {
  if (!Number.isSafeInteger(bytes) || bytes < 0) {
    throw new FileError('ERR_FILE_INVALID', 'expected a whole number of bytes')
  }
  if (bytes > FILE_BYTES_MAX) {
    throw new FileError('ERR_FILE_TOO_LARGE', `expected a file of at most ${FILE_BYTES_MAX} bytes`)
  }
}
