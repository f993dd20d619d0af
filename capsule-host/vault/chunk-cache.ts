import { CACHED_CHUNKS_MAX, CHUNK_BYTES } from './constants.ts'

/** A chunk of an open file in memory. What lies behind `length` reads as zeros. */
export interface CachedChunk {
  readonly owner: ChunkOwner
  readonly index: number
  bytes: Uint8Array
  length: number
  isChanged: boolean
}

/** Whose chunks are kept. */
export interface ChunkOwner {
  /** Writes every changed chunk to the disk. */
  flushChunks(): Promise<void>
}

/** The chunks of all open files of a root that are in memory, the least used first. */
export class ChunkCache {
  readonly #chunks = new Map<ChunkOwner, Map<number, CachedChunk>>()
  readonly #order = new Set<CachedChunk>()

  /** The chunk, if it is here. */
  get(owner: ChunkOwner, index: number): CachedChunk | undefined {
    const chunk = this.#chunks.get(owner)?.get(index)
    if (chunk !== undefined) {
      this.#order.delete(chunk)
      this.#order.add(chunk)
    }
    return chunk
  }

  /** Makes room for one more; changed chunks are written first. @throws FileError of {@link ChunkOwner.flushChunks} */
  async makeRoom(): Promise<void> {
    while (this.#order.size >= CACHED_CHUNKS_MAX) {
      const [oldest] = this.#order
      if (oldest === undefined) return
      if (oldest.isChanged) await oldest.owner.flushChunks()
      this.drop(oldest)
    }
  }

  /** Keeps a chunk; there is room, see {@link makeRoom}. */
  add(owner: ChunkOwner, index: number, bytes: Uint8Array): CachedChunk {
    const chunk = { owner, index, bytes, length: bytes.byteLength, isChanged: false }
    let chunks = this.#chunks.get(owner)
    if (chunks === undefined) this.#chunks.set(owner, (chunks = new Map<number, CachedChunk>()))
    chunks.set(index, chunk)
    this.#order.add(chunk)
    return chunk
  }

  /** Forgets a chunk, changed or not. */
  drop(chunk: CachedChunk): void {
    this.#order.delete(chunk)
    const chunks = this.#chunks.get(chunk.owner)
    chunks?.delete(chunk.index)
    if (chunks?.size === 0) this.#chunks.delete(chunk.owner)
  }

  /** The chunks of one file, in their order. */
  chunksOf(owner: ChunkOwner): CachedChunk[] {
    return [...(this.#chunks.get(owner)?.values() ?? [])].sort((a, b) => a.index - b.index)
  }
}

/** Puts `source` into a chunk at `at`, within {@link CHUNK_BYTES}. */
export function writeIntoChunk(chunk: CachedChunk, at: number, source: Uint8Array): void {
  const end = at + source.byteLength
  if (end > chunk.bytes.byteLength) {
    const grown = new Uint8Array(Math.min(CHUNK_BYTES, Math.max(end, chunk.bytes.byteLength * 2)))
    grown.set(chunk.bytes.subarray(0, chunk.length))
    chunk.bytes = grown
  }
  chunk.bytes.set(source, at)
  chunk.length = Math.max(chunk.length, end)
  chunk.isChanged = true
}

/** Cuts a chunk; what is behind is zeros again. */
export function cutChunk(chunk: CachedChunk, length: number): void {
  if (chunk.length <= length) return
  chunk.bytes.fill(0, length, chunk.length)
  chunk.length = length
  chunk.isChanged = true
}
