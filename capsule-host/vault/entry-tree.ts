import { freeBlock, type BlockStore } from './block-store.ts'
import type { BlockLabel, BlockRef } from './block.ts'
import { CACHED_PAGES_MAX, PAGE_BYTES_LOW, PAGE_BYTES_MAX } from './constants.ts'
import {
  copyPage,
  decodePage,
  encodePage,
  isLeaf,
  isPage,
  joinPages,
  pageBytes,
  splitPage,
  type Branch,
  type Child,
  type Page
} from './page.ts'
import type { Units } from './space.ts'

/** What {@link EntryTree} works with. */
export interface EntryTreeComponents {
  readonly blocks: BlockStore
  readonly units: Units
}

/**
 * A B+ tree of keys and values that never writes over itself: a change copies the pages from the leaf to the root
 * (Bayer and McCreight 1972; copy on write as in Rodeh 2008, "B-trees, shadowing, and clones"). Changed pages stay in
 * memory until {@link flush}. One caller at a time.
 */
export class EntryTree {
  readonly #components: EntryTreeComponents
  readonly #cache = new Map<number, Page>()
  #root: Child
  #changedCount = 0

  /** @param root - its topmost page, or nothing for an empty tree */
  constructor(components: EntryTreeComponents, root?: BlockRef) {
    this.#components = components
    this.#root = root ?? { level: 0, keys: [], values: [] }
    if (root === undefined) this.#changedCount = 1
  }

  /** Pages that have to be written. */
  get changedCount(): number {
    return this.#changedCount
  }

  /** The value of a key. @throws FileError `ERR_FILE_CORRUPT`, `ERR_FILE_IO` */
  async get(key: string): Promise<Uint8Array | undefined> {
    let page = await this.#load(this.#root)
    while (!isLeaf(page)) page = await this.#load(childOf(page, branchPositionOf(page.keys, key)))
    const at = positionOf(page.keys, key)
    return page.keys[at] === key ? page.values[at] : undefined
  }

  /** The keys that begin with `prefix` and are greater than `after`, in order. @throws as {@link get} */
  async *list(prefix: string, after = ''): AsyncGenerator<readonly [key: string, value: Uint8Array]> {
    yield* this.#listPage(this.#root, prefix, after > prefix ? after : prefix)
  }

  /** Sets the value of a key. @throws as {@link get} */
  async set(key: string, value: Uint8Array): Promise<void> {
    this.#root = await this.#own(this.#root)
    const added = await this.#set(this.#root, key, value)
    if (added !== undefined) {
      const keys = ['', added.keys[0] ?? '']
      this.#root = { level: this.#root.level + 1, keys, children: [this.#root, added] }
      this.#changedCount++
    }
  }

  /** Removes a key, if it is there. @throws as {@link get} */
  async delete(key: string): Promise<void> {
    this.#root = await this.#own(this.#root)
    await this.#delete(this.#root, key)
    while (!isLeaf(this.#root) && this.#root.children.length === 1) {
      this.#root = await this.#own(childOf(this.#root, 0))
      this.#changedCount--
    }
  }

  /** Writes what was changed, and says where the root is. @throws FileError `ERR_FILE_NO_SPACE`, `ERR_FILE_IO` */
  async flush(): Promise<BlockRef> {
    if (isPage(this.#root)) {
      for (let level = 0; level < this.#root.level; level++) await this.#flushLevel(level)
      const [ref] = await this.#write([this.#root])
      if (ref === undefined) throw new Error('expected a reference for each page')
      this.#root = ref
    }
    this.#changedCount = 0
    return this.#root
  }

  /** Every page on the disk, each before those under it, with the values of leaves. @throws as {@link get} */
  async *pages(): AsyncGenerator<{ readonly ref: BlockRef | undefined; readonly page: Page }> {
    yield* this.#pagesFrom(this.#root)
  }

  async *#pagesFrom(
    child: Child
  ): AsyncGenerator<{ readonly ref: BlockRef | undefined; readonly page: Page }> {
    const page = await this.#load(child)
    yield { ref: isPage(child) ? undefined : child, page }
    if (!isLeaf(page)) for (const below of page.children) yield* this.#pagesFrom(below)
  }

  async *#listPage(
    child: Child,
    prefix: string,
    after: string
  ): AsyncGenerator<readonly [string, Uint8Array]> {
    const page = await this.#load(child)
    for (let at = Math.max(0, positionOf(page.keys, after)); at < page.keys.length; at++) {
      const key = page.keys[at] ?? ''
      if (key > prefix && !key.startsWith(prefix)) return
      if (!isLeaf(page)) yield* this.#listPage(childOf(page, at), prefix, after)
      else if (key > after && key.startsWith(prefix)) yield [key, page.values[at] ?? new Uint8Array(0)]
    }
  }

  /** Sets a value under a page of ours; returns the page that was split off, if one was. */
  async #set(page: Page, key: string, value: Uint8Array): Promise<Page | undefined> {
    if (isLeaf(page)) {
      const at = positionOf(page.keys, key)
      if (page.keys[at] === key) page.values[at] = value
      else {
        page.keys.splice(at + 1, 0, key)
        page.values.splice(at + 1, 0, value)
      }
    } else {
      const at = branchPositionOf(page.keys, key)
      const child = await this.#ownChild(page, at)
      const added = await this.#set(child, key, value)
      if (added !== undefined) {
        page.keys.splice(at + 1, 0, added.keys[0] ?? '')
        page.children.splice(at + 1, 0, added)
      }
    }
    if (pageBytes(page) <= PAGE_BYTES_MAX) return undefined
    this.#changedCount++
    return splitPage(page)
  }

  async #delete(page: Page, key: string): Promise<void> {
    if (isLeaf(page)) {
      const at = positionOf(page.keys, key)
      if (page.keys[at] !== key) return
      page.keys.splice(at, 1)
      page.values.splice(at, 1)
      return
    }
    const at = branchPositionOf(page.keys, key)
    const child = await this.#ownChild(page, at)
    await this.#delete(child, key)
    if (pageBytes(child) < PAGE_BYTES_LOW) await this.#join(page, at)
  }

  /** Joins a small page with a neighbour, if both fit one page. */
  async #join(parent: Branch, at: number): Promise<void> {
    const leftAt = at > 0 ? at - 1 : at
    if (leftAt + 1 >= parent.children.length) return
    // Looked at before anything changes: a neighbour that cannot be read stays as it is.
    const [left, right] = [
      await this.#load(childOf(parent, leftAt)),
      await this.#load(childOf(parent, leftAt + 1))
    ]
    if (pageBytes(left) + pageBytes(right) > PAGE_BYTES_MAX) return
    const rightKey = parent.keys[leftAt + 1] ?? ''
    const ownLeft = await this.#ownChild(parent, leftAt)
    const ownRight = await this.#ownChild(parent, leftAt + 1)
    // A branch's first key may be lower than what is under it; joined, it must say what its parent said.
    if (!isLeaf(ownRight)) ownRight.keys[0] = rightKey
    joinPages(ownLeft, ownRight)
    parent.keys.splice(leftAt + 1, 1)
    parent.children.splice(leftAt + 1, 1)
    this.#changedCount--
  }

  async #ownChild(parent: Branch, at: number): Promise<Page> {
    const page = await this.#own(childOf(parent, at))
    parent.children[at] = page
    return page
  }

  /** A page that may be changed; where it was is free once the change is durable. */
  async #own(child: Child): Promise<Page> {
    if (isPage(child)) return child
    const page = copyPage(await this.#load(child))
    freeBlock(child, this.#components.units)
    this.#cache.delete(child.unit)
    this.#changedCount++
    return page
  }

  async #load(child: Child): Promise<Page> {
    if (isPage(child)) return child
    const cached = this.#cache.get(child.unit)
    if (cached !== undefined) {
      this.#cache.delete(child.unit)
      this.#cache.set(child.unit, cached)
      return cached
    }
    const page = decodePage(await this.#components.blocks.read({ ref: child, label: PAGE_LABEL }))
    this.#remember(child.unit, page)
    return page
  }

  #remember(unit: number, page: Page): void {
    this.#cache.set(unit, page)
    for (const oldest of this.#cache.keys()) {
      if (this.#cache.size <= CACHED_PAGES_MAX) return
      this.#cache.delete(oldest)
    }
  }

  async #flushLevel(level: number): Promise<void> {
    const places = isPage(this.#root) && !isLeaf(this.#root) ? changedAt(this.#root, level) : []
    const refs = await this.#write(places.map(({ page }) => page))
    places.forEach(({ parent, at }, index) => {
      const ref = refs[index]
      if (ref !== undefined) parent.children[at] = ref
    })
  }

  async #write(pages: readonly Page[]): Promise<BlockRef[]> {
    const blocks = pages.map((page) => ({ label: PAGE_LABEL, plain: encodePage(page) }))
    const refs = await this.#components.blocks.write(blocks, {
      units: this.#components.units,
      isSparing: false
    })
    pages.forEach((page, index) => {
      const ref = refs[index]
      if (ref !== undefined) this.#remember(ref.unit, page)
    })
    return refs
  }
}

const PAGE_LABEL: BlockLabel = { kind: 'page', file: 0, level: 0, position: 0 }

/** Changed pages of one level under a branch, and where they hang. */
function changedAt(branch: Branch, level: number): { parent: Branch; at: number; page: Page }[] {
  return branch.children.flatMap((child, at) => {
    if (!isPage(child)) return []
    if (child.level === level) return [{ parent: branch, at, page: child }]
    return isLeaf(child) ? [] : changedAt(child, level)
  })
}

/** The last place whose key is no greater than `key`; -1 in a leaf where there is none. */
function positionOf(keys: readonly string[], key: string): number {
  let [low, high] = [0, keys.length]
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((keys[middle] ?? '') <= key) low = middle + 1
    else high = middle
  }
  return low - 1
}

/** The child under which `key` is or would be. */
function branchPositionOf(keys: readonly string[], key: string): number {
  return Math.max(0, positionOf(keys, key))
}

function childOf(branch: Branch, at: number): Child {
  const child = branch.children[at]
  if (child === undefined) throw new Error('expected a branch to have a page there')
  return child
}
