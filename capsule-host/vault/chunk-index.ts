import { freeBlock, type BlockStore } from './block-store.ts'
import { clearRef, readRef, REF_BYTES, writeRef, type BlockLabel, type BlockRef } from './block.ts'
import { CACHED_INDEX_PAGES_MAX, INDEX_FANOUT, INDEX_LEVELS_MAX } from './constants.ts'
import { FileError } from '../files/errors.ts'
import type { Units } from './space.ts'

/** What {@link ChunkIndex} works with. */
export interface ChunkIndexComponents {
  readonly blocks: BlockStore
  readonly units: Units
  /** The file, for the labels of its blocks. */
  readonly inode: number
}

/** Where a file's content is: the entry's part of an index. */
export interface ContentPlace {
  readonly content: BlockRef | undefined
  readonly levels: number
}

/** An index page in memory. */
interface IndexPage {
  readonly level: number
  readonly position: number
  readonly refs: Uint8Array
  readonly pages: Map<number, IndexPage>
  /** Where it is on the disk; absent when it was changed. */
  ref: BlockRef | undefined
}

/**
 * Which block holds which chunk of a file: a radix tree whose pages are copied when they change. A file of one chunk
 * has no page at all. One caller at a time.
 */
export class ChunkIndex {
  readonly #components: ChunkIndexComponents
  #levels: number
  /** Without levels, the only chunk. */
  #only: BlockRef | undefined
  #root: IndexPage | undefined
  #rootRef: BlockRef | undefined
  #loadedCount = 0

  constructor(components: ChunkIndexComponents, { content, levels }: ContentPlace) {
    this.#components = components
    this.#levels = levels
    if (levels === 0) this.#only = content
    else this.#rootRef = content
  }

  /** The block of a chunk; `undefined` for a hole. @throws FileError `ERR_FILE_CORRUPT`, `ERR_FILE_IO` */
  async get(chunk: number): Promise<BlockRef | undefined> {
    if (chunk >= capacity(this.#levels)) return undefined
    if (this.#levels === 0) return this.#only
    let page = await this.#rootPage()
    while (page !== undefined && page.level > 1) page = await this.#pageBelow(page, slotOf(chunk, page.level))
    return page === undefined ? undefined : readRef(page.refs, slotOf(chunk, 1) * REF_BYTES)
  }

  /** Puts a block in the place of a chunk, which gives the old one back. @throws as {@link get} */
  async set(chunk: number, ref: BlockRef | undefined): Promise<void> {
    while (chunk >= capacity(this.#levels)) await this.#deepen()
    if (this.#levels === 0) {
      this.#free(this.#only)
      this.#only = ref
      return
    }
    let page = this.#changed((await this.#rootPage()) ?? this.#newRoot())
    while (page.level > 1) {
      const slot = slotOf(chunk, page.level)
      page = this.#changed((await this.#pageBelow(page, slot)) ?? this.#newPage(page, slot))
    }
    const offset = slotOf(chunk, 1) * REF_BYTES
    this.#free(readRef(page.refs, offset))
    if (ref === undefined) clearRef(page.refs, offset)
    else writeRef(ref, page.refs, offset)
  }

  /** Gives back every chunk from `chunkCount` on. @throws as {@link get} */
  async cut(chunkCount: number): Promise<void> {
    if (this.#levels === 0) {
      if (chunkCount > 0) return
      this.#free(this.#only)
      this.#only = undefined
      return
    }
    const root = await this.#rootPage()
    if (root !== undefined) await this.#cutPage(root, chunkCount)
    if (chunkCount > 0) return
    this.#free(this.#rootRef)
    this.#root = this.#rootRef = undefined
    this.#levels = this.#loadedCount = 0
  }

  /** Writes the pages that were changed. @throws FileError `ERR_FILE_NO_SPACE`, `ERR_FILE_IO` */
  async flush(): Promise<ContentPlace> {
    if (this.#levels === 0) return { content: this.#only, levels: 0 }
    if (this.#root !== undefined) {
      await this.#flushPage(this.#root)
      this.#rootRef = this.#root.ref
    }
    return { content: this.#rootRef, levels: this.#levels }
  }

  /** Keeps the pages in memory few. @throws FileError `ERR_FILE_NO_SPACE`, `ERR_FILE_IO` */
  async settle(): Promise<void> {
    if (this.#loadedCount <= CACHED_INDEX_PAGES_MAX) return
    await this.flush()
    this.#root = undefined
    this.#loadedCount = 0
  }

  /** Every block of the file on the disk, index pages included. @throws as {@link get} */
  async *refs(): AsyncGenerator<BlockRef> {
    if (this.#only !== undefined) yield this.#only
    const root = await this.#rootPage()
    if (root !== undefined) yield* this.#refsUnder(root)
  }

  async *#refsUnder(page: IndexPage): AsyncGenerator<BlockRef> {
    if (page.ref !== undefined) yield page.ref
    for (let slot = 0; slot < INDEX_FANOUT; slot++) {
      if (page.level === 1) {
        const ref = readRef(page.refs, slot * REF_BYTES)
        if (ref !== undefined) yield ref
        continue
      }
      const isHeld = page.pages.has(slot)
      const below = await this.#pageBelow(page, slot)
      if (below === undefined) continue
      yield* this.#refsUnder(below)
      // What was loaded for this walk alone is let go of again.
      if (!isHeld && below.ref !== undefined) this.#drop(page, slot)
    }
  }

  #drop(page: IndexPage, slot: number): void {
    if (page.pages.delete(slot)) this.#loadedCount--
  }

  async #deepen(): Promise<void> {
    if (this.#levels >= INDEX_LEVELS_MAX) {
      throw new FileError('ERR_FILE_TOO_LARGE', 'expected a file with fewer chunks')
    }
    const [only, root, rootRef] = [this.#only, await this.#rootPage(), this.#rootRef]
    this.#only = this.#root = this.#rootRef = undefined
    this.#levels++
    if (only === undefined && root === undefined) return
    const above = this.#newRoot()
    if (only !== undefined) writeRef(only, above.refs, 0)
    if (root !== undefined) above.pages.set(0, root)
    if (rootRef !== undefined) writeRef(rootRef, above.refs, 0)
  }

  async #cutPage(page: IndexPage, chunkCount: number): Promise<void> {
    const span = capacity(page.level - 1)
    const start = page.position * INDEX_FANOUT
    for (let slot = 0; slot < INDEX_FANOUT; slot++) {
      if ((start + slot + 1) * span <= chunkCount) continue
      const offset = slot * REF_BYTES
      const ref = readRef(page.refs, offset)
      if (page.level === 1) {
        if (ref === undefined) continue
        this.#free(ref)
        clearRef(this.#changed(page).refs, offset)
        continue
      }
      const below = await this.#pageBelow(page, slot)
      if (below === undefined) continue
      this.#changed(page)
      await this.#cutPage(below, chunkCount)
      if ((start + slot) * span < chunkCount) continue
      this.#free(below.ref)
      clearRef(page.refs, offset)
      this.#drop(page, slot)
    }
  }

  async #flushPage(page: IndexPage): Promise<void> {
    for (const [slot, below] of page.pages) {
      await this.#flushPage(below)
      if (below.ref !== undefined) writeRef(below.ref, page.refs, slot * REF_BYTES)
    }
    if (page.ref !== undefined) return
    const { blocks, units } = this.#components
    const block = { label: this.#labelOf(page), plain: page.refs }
    const [ref] = await blocks.write([block], { units, isSparing: true })
    page.ref = ref
  }

  /** Marks a page and says that what is above it changes too: callers come from above. */
  #changed(page: IndexPage): IndexPage {
    this.#free(page.ref)
    page.ref = undefined
    if (page === this.#root) this.#rootRef = undefined
    return page
  }

  async #rootPage(): Promise<IndexPage | undefined> {
    if (this.#root !== undefined || this.#rootRef === undefined) return this.#root
    this.#root = await this.#load(this.#rootRef, this.#levels, 0)
    return this.#root
  }

  async #pageBelow(page: IndexPage, slot: number): Promise<IndexPage | undefined> {
    const held = page.pages.get(slot)
    if (held !== undefined) return held
    const ref = readRef(page.refs, slot * REF_BYTES)
    if (ref === undefined) return undefined
    const below = await this.#load(ref, page.level - 1, page.position * INDEX_FANOUT + slot)
    page.pages.set(slot, below)
    return below
  }

  async #load(ref: BlockRef, level: number, position: number): Promise<IndexPage> {
    const page = { level, position, refs: new Uint8Array(0), pages: new Map<number, IndexPage>(), ref }
    const refs = await this.#components.blocks.read({ ref, label: this.#labelOf(page) })
    if (refs.byteLength !== INDEX_FANOUT * REF_BYTES) {
      throw new FileError('ERR_FILE_CORRUPT', 'expected a whole index page of the vault')
    }
    this.#loadedCount++
    return { ...page, refs }
  }

  #newRoot(): IndexPage {
    this.#root = this.#emptyPage(this.#levels, 0)
    return this.#root
  }

  #newPage(above: IndexPage, slot: number): IndexPage {
    const page = this.#emptyPage(above.level - 1, above.position * INDEX_FANOUT + slot)
    above.pages.set(slot, page)
    return page
  }

  #emptyPage(level: number, position: number): IndexPage {
    this.#loadedCount++
    const refs = new Uint8Array(INDEX_FANOUT * REF_BYTES)
    return { level, position, refs, pages: new Map(), ref: undefined }
  }

  #labelOf({ level, position }: Pick<IndexPage, 'level' | 'position'>): BlockLabel {
    return { kind: 'index', file: this.#components.inode, level, position }
  }

  #free(ref: BlockRef | undefined): void {
    if (ref !== undefined) freeBlock(ref, this.#components.units)
  }
}

/** Chunks that an index of that many levels can name. */
function capacity(levels: number): number {
  return INDEX_FANOUT ** levels
}

function slotOf(chunk: number, level: number): number {
  return Math.floor(chunk / capacity(level - 1)) % INDEX_FANOUT
}
