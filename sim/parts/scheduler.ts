import type { Clock } from '#contracts'
import { START_MS } from '../constants.ts'

/** Whose timers: those of who has died never ring. */
export interface Owner {
  isDead: boolean
}

/** Something due; disposing it cancels it. */
class Entry implements Disposable {
  readonly atMs: number
  readonly order: number
  readonly owner: Owner
  task: (() => void) | undefined

  constructor(
    { atMs, order }: { readonly atMs: number; readonly order: number },
    owner: Owner,
    task: () => void
  ) {
    this.atMs = atMs
    this.order = order
    this.owner = owner
    this.task = task
  }

  [Symbol.dispose](): void {
    this.task = undefined
  }
}

/** What happens when, in virtual time that stands still between events. */
export interface Scheduler {
  /** Milliseconds since the simulation began. */
  nowMs(): number
  /** Calls `task` once after so long; disposing the handle cancels it. */
  after(durationMs: number, task: () => void, owner?: Owner): Disposable
  /** A clock over this time whose timers end with their owner. */
  clockOf(owner: Owner): Clock
  /** The next event that is due until then; `undefined` when there is none, and then it is that time. */
  next(untilMs: number): (() => void) | undefined
  /** Events that wait, those cancelled and not yet passed included. */
  waitingCount(): number
}

const NOBODY: Owner = { isDead: false }

/** A scheduler on a binary heap; events at the same time come in the order in which they were made. */
export function createScheduler(): Scheduler {
  const heap = createHeap()
  // deadlines are all of a few durations, and nearly none of them comes: those of one duration stand in a row
  const rows: Row[] = []
  let nowMs = 0
  let made = 0
  const after = (durationMs: number, task: () => void, owner: Owner = NOBODY): Disposable => {
    const entry = new Entry({ atMs: nowMs + Math.max(0, durationMs), order: made++ }, owner, task)
    const row = rowOf(rows, durationMs)
    if (row === undefined) heap.push(entry)
    else row.push(entry)
    return entry
  }
  const every = (periodMs: number, task: () => void, owner: Owner): Disposable => {
    let isEnded = false
    let waiting: Disposable
    const ring = (): void => {
      task()
      if (!isEnded) waiting = after(Math.max(1, periodMs), ring, owner)
    }
    waiting = after(Math.max(1, periodMs), ring, owner)
    return {
      [Symbol.dispose]: () => {
        isEnded = true
        waiting[Symbol.dispose]()
      }
    }
  }
  return {
    nowMs: () => nowMs,
    after,
    clockOf: (owner) => ({
      // a wall clock shows whole milliseconds
      nowMs: () => START_MS + Math.floor(nowMs),
      monotonicMs: () => nowMs,
      after: (durationMs, task) => after(durationMs, task, owner),
      every: (periodMs, task) => every(periodMs, task, owner),
      sleep: async (durationMs, signal) => await sleep(after, owner, { durationMs, signal })
    }),
    next: (untilMs) => {
      for (;;) {
        const row = earliestRow(heap, rows)
        const first = (row ?? heap).first()
        if (first === undefined || first.atMs > untilMs) {
          nowMs = Math.max(nowMs, untilMs)
          return undefined
        }
        if (row === undefined) heap.pop()
        else row.shift()
        const { task, owner, atMs } = first
        if (task === undefined || owner.isDead) continue
        nowMs = atMs
        return task
      }
    },
    waitingCount: () => rows.reduce((sum, row) => sum + row.size(), heap.size())
  }
}

/** The row in which what is due first is; `undefined` when it is in the heap, or nothing is due. */
function earliestRow(heap: Heap, rows: readonly Row[]): Row | undefined {
  let first = heap.first()
  let from: Row | undefined
  for (const row of rows) {
    const due = row.first()
    if (due === undefined || (first !== undefined && isBefore(first, due))) continue
    first = due
    from = row
  }
  return from
}

/** Deadlines of so many durations stand in rows of their own. */
const ROWS_MAX = 8
/** What is due sooner mostly comes, and at times that are no round numbers. */
const ROW_MS_MIN = 1_000

/** The row of a duration; `undefined` when it has none. */
function rowOf(rows: Row[], durationMs: number): Row | undefined {
  if (durationMs < ROW_MS_MIN) return undefined
  const known = rows.find((row) => row.durationMs === durationMs)
  if (known !== undefined || rows.length >= ROWS_MAX || !Number.isInteger(durationMs)) return known
  const row = new Row(durationMs)
  rows.push(row)
  return row
}

/** Entries of one duration: whoever comes later is due later. */
class Row {
  readonly durationMs: number
  #entries: Entry[] = []
  #at = 0

  constructor(durationMs: number) {
    this.durationMs = durationMs
  }

  push(entry: Entry): void {
    this.#entries.push(entry)
  }

  /** The first that was not cancelled. */
  first(): Entry | undefined {
    while (this.#at < this.#entries.length) {
      const entry = this.#entries[this.#at]
      if (entry?.task !== undefined) return entry
      this.shift()
    }
    return undefined
  }

  shift(): void {
    this.#at += 1
    if (this.#at < 1_024 || 2 * this.#at < this.#entries.length) return
    this.#entries = this.#entries.slice(this.#at)
    this.#at = 0
  }

  size(): number {
    return this.#entries.length - this.#at
  }
}

type After = Scheduler['after']

async function sleep(
  after: After,
  owner: Owner,
  { durationMs, signal }: { readonly durationMs: number; readonly signal: AbortSignal | undefined }
): Promise<void> {
  signal?.throwIfAborted()
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  const abort = (): void => {
    timer[Symbol.dispose]()
    reject(signal?.reason)
  }
  const timer = after(
    durationMs,
    () => {
      signal?.removeEventListener('abort', abort)
      resolve()
    },
    owner
  )
  signal?.addEventListener('abort', abort, { once: true })
  await promise
}

interface Heap {
  push(entry: Entry): void
  first(): Entry | undefined
  pop(): void
  size(): number
}

function isBefore(a: Entry, b: Entry): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order)
}

function createHeap(): Heap {
  const entries: Entry[] = []
  const up = (entry: Entry): void => {
    let at = entries.length
    entries.push(entry)
    while (at > 0) {
      const parent = (at - 1) >> 1
      const above = entries[parent]
      if (above === undefined || !isBefore(entry, above)) break
      entries[at] = above
      at = parent
    }
    entries[at] = entry
  }
  const down = (entry: Entry): void => {
    let at = 0
    for (;;) {
      let child = 2 * at + 1
      let below = entries[child]
      if (below === undefined) break
      const other = entries[child + 1]
      if (other !== undefined && isBefore(other, below)) {
        child += 1
        below = other
      }
      if (!isBefore(below, entry)) break
      entries[at] = below
      at = child
    }
    entries[at] = entry
  }
  return {
    push: up,
    first: () => entries[0],
    pop: () => {
      const last = entries.pop()
      if (last !== undefined && entries.length > 0) down(last)
    },
    size: () => entries.length
  }
}
