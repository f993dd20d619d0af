import type { CID } from 'multiformats/cid'

/** A block still to come in a walk, with what the walker needs to know about it. */
export interface WalkStep {
  readonly cid: CID
}

/** How {@link traverse} gets and opens blocks. */
export interface TraverseInit<S extends WalkStep> {
  fetch(step: S): Promise<Uint8Array>
  /** The steps below a block, in order; called once a step, in the order of the walk. */
  expand(step: S, bytes: Uint8Array): S[] | Promise<S[]>
  /** Blocks fetched ahead of the reader. At most this many and one a level are held in memory. */
  aheadMax: number
}

interface Pending<S> {
  readonly step: S
  work?: Promise<Uint8Array>
}

/**
 * Walks a DAG depth first, parents before children, and fetches ahead in exactly the order of the walk: of a
 * folder of many small files the next `aheadMax` are on their way while one is written.
 *
 * Nothing is fetched that the reader has not made room for: it pulls, and a pull fills up what is ahead. Fetches
 * under way when the reader leaves early are the owner of `fetch` to end.
 *
 * @throws whatever `fetch` and `expand` throw, when the walk comes to that block
 */
export async function* traverse<S extends WalkStep>(
  roots: readonly S[],
  { fetch, expand, aheadMax }: TraverseInit<S>
): AsyncGenerator<{ step: S; bytes: Uint8Array }> {
  // The next step is the last of the array: folders are wide, and taking from the end is cheap.
  const pending: Pending<S>[] = roots.map((step) => ({ step })).reverse()
  const started = new Set<Promise<Uint8Array>>()
  const start = (item: Pending<S>): Promise<Uint8Array> => {
    if (item.work !== undefined) return item.work
    const work = fetch(item.step)
    // Its failure belongs to the reader who gets there.
    work.catch(() => undefined)
    started.add(work)
    item.work = work
    return work
  }
  for (let item = pending.pop(); item !== undefined; item = pending.pop()) {
    const work = start(item)
    for (let index = pending.length - 1; index >= 0 && started.size < aheadMax; index--) {
      void start(pending[index] as Pending<S>)
    }
    const bytes = await work
    started.delete(work)
    const below = await expand(item.step, bytes)
    for (let index = below.length - 1; index >= 0; index--) pending.push({ step: below[index] as S })
    yield { step: item.step, bytes }
  }
}
