import type { CID } from 'multiformats/cid'
import type { Clock } from '#contracts'
import { LATE_STEPS_AFTER_MS } from './constants.ts'

/** A block still to come in a walk, with what the walker needs to know about it. */
export interface WalkStep {
  readonly cid: CID
}

/** What is below a block of which only the first is known at once. */
export interface LateSteps<S> {
  readonly first: S
  /** Called once; a step that fails fails again when it is called again. */
  others(): S[]
}

/** How {@link traverse} gets and opens blocks. */
export interface TraverseInit<S extends WalkStep> {
  fetch(step: S): Promise<Uint8Array>
  /** The steps below a block, in order; called once a step, in the order of the walk. */
  expand(step: S, bytes: Uint8Array): S[] | LateSteps<S> | Promise<S[]>
  /** Blocks fetched ahead of the reader. At most this many and one a level are held in memory. */
  aheadMax: number
  /** Needed where steps come late: they do when the first has come, or has not for a while. */
  clock?: Pick<Clock, 'after'> | undefined
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
  { fetch, expand, aheadMax, clock }: TraverseInit<S>
): AsyncGenerator<{ step: S; bytes: Uint8Array }> {
  const ahead = new Ahead<S>({ fetch, aheadMax })
  ahead.push([...roots])
  for (let item = ahead.next(); item !== undefined; item = ahead.next()) {
    const late = ahead.isLate ? clock?.after(LATE_STEPS_AFTER_MS, () => ahead.tryFill()) : undefined
    const bytes = await item.work.finally(() => late?.[Symbol.dispose]())
    ahead.leave(item.work)
    ahead.push(await expand(item.step, bytes))
    yield { step: item.step, bytes }
  }
}

/** What is still to come in a walk, some of it on its way. */
class Ahead<S extends WalkStep> {
  readonly #o: Pick<TraverseInit<S>, 'fetch' | 'aheadMax'>
  // The next is the last of the array: folders are wide, and taking from the end is cheap.
  readonly #pending: (Pending<S> | LateSteps<S>)[] = []
  readonly #started = new Set<Promise<Uint8Array>>()

  constructor(o: Pick<TraverseInit<S>, 'fetch' | 'aheadMax'>) {
    this.#o = o
  }

  /** Whether what is next is not known yet, and there would be room for it. */
  get isLate(): boolean {
    const last = this.#pending.at(-1)
    return last !== undefined && !('step' in last) && this.#started.size < this.#o.aheadMax
  }

  push(below: S[] | LateSteps<S>): void {
    const steps = Array.isArray(below) ? below : [below.first]
    if (!Array.isArray(below)) this.#pending.push(below)
    for (let index = steps.length - 1; index >= 0; index--) this.#pending.push({ step: steps[index] as S })
  }

  /** Takes the next, and starts it and what comes behind it. */
  next(): Required<Pending<S>> | undefined {
    this.#know()
    const item = this.#pending.pop() as Pending<S> | undefined
    if (item === undefined) return undefined
    const work = this.#start(item)
    this.#fill()
    return { step: item.step, work }
  }

  /** Nobody waits for that any more. */
  leave(work: Promise<Uint8Array>): void {
    this.#started.delete(work)
  }

  /** Starts what comes next although what comes before it is not here. */
  tryFill(): void {
    try {
      this.#know()
      this.#fill()
    } catch {
      // It fails again when the walk comes there.
    }
  }

  /** Finds out what is next. */
  #know(): void {
    const last = this.#pending.at(-1)
    if (last === undefined || 'step' in last) return
    const others = last.others()
    this.#pending.pop()
    this.push(others)
  }

  #fill(): void {
    for (let index = this.#pending.length - 1; index >= 0; index--) {
      const item = this.#pending[index] as Pending<S> | LateSteps<S>
      if (this.#started.size >= this.#o.aheadMax || !('step' in item)) return
      void this.#start(item)
    }
  }

  #start(item: Pending<S>): Promise<Uint8Array> {
    if (item.work !== undefined) return item.work
    const work = this.#o.fetch(item.step)
    // Its failure belongs to the reader who gets there.
    work.catch(() => undefined)
    this.#started.add(work)
    item.work = work
    return work
  }
}
