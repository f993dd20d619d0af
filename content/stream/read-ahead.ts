import type { CID } from 'multiformats/cid'
import type { BlockFound, BlockStore } from '../block-store.ts'
import type { Slabs } from '../slabs.ts'

/**
 * Reads one block before it is known to be the next: the first leaf of a file comes off the disk while its root goes out and its
 * links are decoded, which takes about as long.
 */
export class ReadAhead implements AsyncDisposable {
  readonly #store: Pick<BlockStore, 'getMany'>
  readonly #memory: Slabs
  #begun: { readonly cid: CID; readonly found: AsyncIterator<BlockFound> } | undefined

  constructor(store: Pick<BlockStore, 'getMany'>, memory: Slabs) {
    this.#store = store
    this.#memory = memory
  }

  /** Begins to read that block; at most one is read ahead. */
  begin(cid: CID): void {
    if (this.#begun !== undefined) return
    const found = this.#store.getMany([cid], { memory: this.#memory })[Symbol.asyncIterator]()
    const first = found.next()
    // Whoever takes it learns of a failure.
    first.catch(() => undefined)
    let isFirst = true
    const next = async (): Promise<IteratorResult<BlockFound>> => {
      if (!isFirst) return await found.next()
      isFirst = false
      return await first
    }
    this.#begun = {
      cid,
      found: { next, return: async () => await leave(found, isFirst ? first : undefined) }
    }
  }

  /** These blocks as the store reads them: what was begun where it is the one that is wanted, else from now on. */
  read(wanted: readonly CID[]): AsyncIterator<BlockFound> {
    const begun = this.#begun
    this.#begun = undefined
    const [first] = wanted
    if (begun !== undefined && wanted.length === 1 && first?.equals(begun.cid) === true) return begun.found
    void begun?.found.return?.()
    return this.#store.getMany(wanted, { memory: this.#memory })[Symbol.asyncIterator]()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#begun?.found.return?.()
  }
}

/** Ends a reading, and gives back the memory of a block that nobody took. */
async function leave(
  found: AsyncIterator<BlockFound>,
  untaken: Promise<IteratorResult<BlockFound>> | undefined
): Promise<IteratorResult<BlockFound>> {
  const result = await untaken?.catch(() => undefined)
  if (result?.done === false) result.value.release?.()
  await found.return?.().catch(() => undefined)
  return { done: true, value: undefined }
}
