import { Key } from 'interface-datastore'
import type { Datastore } from 'interface-datastore'
import type { CID } from 'multiformats/cid'
import { errorMessage } from '#contracts'
import type { Logger } from '#contracts'
import { blockKey } from './cid.ts'
import { INDEX_BATCH_KEYS, PINS_MAX } from './constants.ts'
import { ContentError } from './errors.ts'
import { decodeRoot, encodeRoot } from './root-record.ts'
import type { Did } from '#did'
import type { ServingGrant } from './stream/index.ts'
import type { Root, Visibility } from './root-record.ts'

const ROOTS = '/content/1/root/'
const UNDER = '/content/1/under/'

/** What the index works with. */
export interface RootIndexComponents {
  /** Shared with others; this index uses the keys below `/content/1/`. */
  datastore: Datastore
  isDenied(cid: CID): boolean
  logger: Logger
}

function rootId(kind: Root['kind'], cid: CID): string {
  return `${kind}/${cid.toV1().toString()}`
}

function narrower(a: Visibility, b: Visibility | undefined): Visibility {
  if (b === undefined) return { isPublic: false, readers: [] }
  return {
    isPublic: a.isPublic && b.isPublic,
    readers: a.readers.filter((reader) => b.isPublic || b.readers.includes(reader))
  }
}

/**
 * Reads the index from the datastore.
 *
 * @throws ContentError `ERR_STORE_IO`, `ERR_PIN_LIMIT`
 */
export async function openRootIndex(components: RootIndexComponents): Promise<RootIndex> {
  const roots = new Map<string, Root>()
  let unreadable = 0
  try {
    for await (const { key, value } of components.datastore.query({ prefix: ROOTS })) {
      if (roots.size >= PINS_MAX) throw new ContentError('ERR_PIN_LIMIT', `more than ${PINS_MAX} pins`)
      try {
        const root = decodeRoot(value)
        roots.set(rootId(root.kind, root.cid), root)
      } catch (thrown) {
        unreadable++
        components.logger.error('a pin record is unreadable', {
          key: key.toString(),
          reason: errorMessage(thrown)
        })
      }
    }
  } catch (thrown) {
    throw storeError(thrown)
  }
  return new RootIndex(components, roots, unreadable)
}

function storeError(thrown: unknown): Error {
  if (thrown instanceof ContentError) return thrown
  const isFull = /ENOSPC|no space left/i.test(errorMessage(thrown))
  if (isFull)
    return new ContentError('ERR_DISK_FULL', 'cannot write the pins: the disk is full', { cause: thrown })
  return new ContentError('ERR_STORE_IO', `cannot use the pins: ${errorMessage(thrown)}`, { cause: thrown })
}

/**
 * What is kept, and who may be served which block.
 *
 * Two kinds of keys: a record for each root, `root/<kind>/<cid>`, and an empty one for each block below a root
 * that is a DAG, `under/<multihash>/<cid of the root>`. The second says "that block lies under that root", which
 * content addressing makes true for ever; only the record, one atomic write, gives anybody a right. So a crash
 * between any two writes leaves either no record (nothing is served, keys below wait for the sweep) or a record
 * whose keys were all written before it.
 *
 * Invariant: a block is served if and only if a record exists that covers it and names the asker or everybody.
 */
export class RootIndex {
  readonly #components: RootIndexComponents
  readonly #roots: Map<string, Root>
  /** Roots of kind `block`, by the key of their block. */
  readonly #single = new Map<string, Set<string>>()
  #lastWrite: Promise<unknown> = Promise.resolve()
  /** Roots whose blocks are being noted, and how many do so: their keys are no leftovers. */
  readonly #covering = new Map<string, number>()
  /** Fetches that peers began, by root: no more entries than roots. */
  readonly #demand = new Map<string, number>()
  /** A batch of leftovers that is being removed. */
  #sweeping: Promise<unknown> = Promise.resolve()
  /** Records that could not be read when the index was opened; while there are some nothing may be collected. */
  readonly unreadableCount: number

  constructor(components: RootIndexComponents, roots: Map<string, Root>, unreadableCount: number) {
    this.#components = components
    this.#roots = new Map()
    this.unreadableCount = unreadableCount
    for (const [id, root] of roots) this.#remember(id, root)
  }

  /** The root of that kind, or `undefined`. */
  get(kind: Root['kind'], cid: CID): Root | undefined {
    return this.#roots.get(rootId(kind, cid))
  }

  /** Every root, in no order. */
  all(): Iterable<Root> {
    return this.#roots.values()
  }

  /** From now until it is disposed, {@link RootIndex.sweep} leaves alone what {@link RootIndex.cover} writes of `root`. */
  covering(root: CID): Disposable {
    const name = root.toV1().toString()
    this.#covering.set(name, (this.#covering.get(name) ?? 0) + 1)
    return {
      [Symbol.dispose]: () => {
        const left = (this.#covering.get(name) ?? 0) - 1
        if (left > 0) this.#covering.set(name, left)
        else this.#covering.delete(name)
      }
    }
  }

  /** Writes that these blocks lie under `root`, within a {@link RootIndex.covering} of it. Gives nobody a right until the root's record is put. */
  async cover(root: CID, blocks: AsyncIterable<CID>): Promise<void> {
    const name = root.toV1().toString()
    const { datastore } = this.#components
    // A removal that was decided before the root was covered must not come after what is written now.
    await this.#sweeping
    let batch = datastore.batch()
    let count = 0
    try {
      for await (const block of blocks) {
        batch.put(new Key(`${UNDER}${blockKey(block)}/${name}`, false), new Uint8Array())
        if (++count % INDEX_BATCH_KEYS !== 0) continue
        await batch.commit()
        batch = datastore.batch()
      }
      await batch.commit()
    } catch (thrown) {
      throw storeError(thrown)
    }
  }

  /**
   * Keeps a root, or changes who may read it. A DAG must have been covered before.
   *
   * @throws ContentError `ERR_PIN_LIMIT`, `ERR_DISK_FULL`, `ERR_STORE_IO`; then the old record may still be the
   *   one on the disk, and until the next start only those are served whom both records name
   */
  async put(root: Root): Promise<void> {
    const id = rootId(root.kind, root.cid)
    const record = encodeRoot(root)
    await this.#exclusively(async () => {
      const before = this.#roots.get(id)
      if (before === undefined && this.#roots.size >= PINS_MAX) {
        throw new ContentError('ERR_PIN_LIMIT', `expected at most ${PINS_MAX} pins`)
      }
      // While the write is under way only what both records allow is allowed; the blocks count as kept already.
      this.#remember(id, { ...root, ...narrower(root, before) })
      try {
        await this.#components.datastore.put(new Key(ROOTS + id, false), record)
      } catch (thrown) {
        if (before === undefined) this.#forget(id)
        throw storeError(thrown)
      }
      this.#remember(id, root)
    })
  }

  /** Drops a root: from this call on nobody is served under it. Resolves with it, `undefined` when it was none. */
  async remove(kind: Root['kind'], cid: CID): Promise<Root | undefined> {
    const id = rootId(kind, cid)
    return await this.#exclusively(async () => {
      const before = this.#roots.get(id)
      if (before === undefined) return undefined
      this.#remember(id, { ...before, isPublic: false, readers: [] })
      try {
        await this.#components.datastore.delete(new Key(ROOTS + id, false))
      } catch (thrown) {
        throw storeError(thrown)
      }
      this.#forget(id)
      return before
    })
  }

  /** Whether a peer may have this block: some root over it is public, or names the peer's did. */
  async mayServe(cid: CID, reader: () => Did | undefined): Promise<boolean> {
    const { isDenied } = this.#components
    if (isDenied(cid)) return false
    return await this.#someRootOver(cid, (root) => {
      if (isDenied(root.cid)) return false
      if (root.isPublic) return true
      const did = root.readers.length === 0 ? undefined : reader()
      return did !== undefined && root.readers.includes(did)
    })
  }

  /**
   * The right of a peer to a block, and where a whole DAG is meant to all that lies below it; `undefined` when it has
   * none. It ends with the root that it comes from.
   */
  async grantOf(cid: CID, reader: () => Did | undefined): Promise<ServingGrant | undefined> {
    let found: Root | undefined
    const may = (root: Root | undefined): boolean => {
      if (root === undefined || this.#components.isDenied(root.cid)) return false
      if (root.isPublic) return true
      const did = root.readers.length === 0 ? undefined : reader()
      return did !== undefined && root.readers.includes(did)
    }
    const accepts = (root: Root): boolean => {
      if (!may(root)) return false
      found = root
      return true
    }
    // The root of a DAG is covered by itself, and most of what is asked for are roots.
    const own = this.get('dag', cid)
    if (!(own !== undefined && accepts(own)) && !(await this.#someRootOver(cid, accepts))) return undefined
    if (found === undefined) return undefined
    const { kind, cid: root } = found
    const id = rootId(kind, root)
    this.#demand.set(id, (this.#demand.get(id) ?? 0) + 1)
    return { below: kind === 'dag', holds: () => may(this.get(kind, root)) }
  }

  /** How often peers were granted a DAG since the last time this was asked. */
  takeDemand(cid: CID): number {
    const id = rootId('dag', cid)
    const count = this.#demand.get(id) ?? 0
    this.#demand.delete(id)
    return count
  }

  /** Whether some root keeps this block. */
  async isKept(cid: CID): Promise<boolean> {
    return await this.#someRootOver(cid, () => true)
  }

  /** Removes the keys of blocks whose root is gone; safe to interrupt. Resolves with how many it removed. */
  async sweep(signal: AbortSignal): Promise<number> {
    let removed = 0
    let left: Key[] = []
    try {
      for await (const key of this.#components.datastore.queryKeys({ prefix: UNDER })) {
        signal.throwIfAborted()
        if (this.#isLeftover(key)) left.push(key)
        if (left.length < INDEX_BATCH_KEYS) continue
        removed += await this.#removeLeftovers(left)
        left = []
      }
      removed += await this.#removeLeftovers(left)
    } catch (thrown) {
      signal.throwIfAborted()
      throw storeError(thrown)
    }
    return removed
  }

  #isLeftover(key: Key): boolean {
    const name = key.name()
    return !this.#roots.has(`dag/${name}`) && !this.#covering.has(name)
  }

  async #removeLeftovers(keys: readonly Key[]): Promise<number> {
    const batch = this.#components.datastore.batch()
    // Asked again, and decided at once: whoever covers a root from here on waits for this removal.
    const left = keys.filter((key) => this.#isLeftover(key))
    for (const key of left) batch.delete(key)
    const work = Promise.resolve(batch.commit())
    this.#sweeping = work.catch(() => undefined)
    await work
    return left.length
  }

  async #someRootOver(cid: CID, accepts: (root: Root) => boolean): Promise<boolean> {
    const key = blockKey(cid)
    for (const id of this.#single.get(key) ?? []) {
      const root = this.#roots.get(id)
      if (root !== undefined && accepts(root)) return true
    }
    try {
      for await (const under of this.#components.datastore.queryKeys({ prefix: `${UNDER}${key}/` })) {
        const root = this.#roots.get(`dag/${under.name()}`)
        if (root !== undefined && accepts(root)) return true
      }
    } catch (thrown) {
      throw storeError(thrown)
    }
    return false
  }

  #remember(id: string, root: Root): void {
    this.#roots.set(id, root)
    if (root.kind !== 'block') return
    const key = blockKey(root.cid)
    const ids = this.#single.get(key) ?? new Set<string>()
    this.#single.set(key, ids.add(id))
  }

  #forget(id: string): void {
    this.#demand.delete(id)
    const root = this.#roots.get(id)
    this.#roots.delete(id)
    if (root?.kind !== 'block') return
    const key = blockKey(root.cid)
    const ids = this.#single.get(key)
    ids?.delete(id)
    if (ids?.size === 0) this.#single.delete(key)
  }

  /** Writes come one after the other, so that memory and disk agree on which was last. */
  async #exclusively<T>(task: () => Promise<T>): Promise<T> {
    const work = this.#lastWrite.then(task)
    this.#lastWrite = work.catch(() => undefined)
    return await work
  }
}
