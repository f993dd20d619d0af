import type { Clock } from '#contracts'
import { RUNNING_CAPSULES_MAX } from '../constants.ts'
import { CapsuleError } from '../errors.ts'

/** What a running capsule is known by. */
export interface RunInit {
  readonly lineage: string
  readonly name: string
  readonly version: string
  /** CID of the signed capsule; empty for one from a folder. */
  readonly cid: string
  /** Whether it goes on without whoever started it. */
  readonly isDetached: boolean
}

/** What a run has used so far. Bytes are those of its streams and its channel. */
export interface RunCounters {
  calls: number
  bytesIn: number
  bytesOut: number
}

/** One run, for who looks at the table. */
export interface RunSummary extends RunInit, Readonly<RunCounters> {
  /** Unique for as long as the node runs. */
  readonly id: number
  readonly startedAtMs: number
  /** Its outermost process; `undefined` until it was started. */
  readonly pid?: number | undefined
}

/** One run, for who runs it. Disposing it takes it out of the table. */
export interface Run extends Disposable {
  readonly id: number
  readonly counters: RunCounters
  /** Aborts when it shall end. */
  readonly signal: AbortSignal
  /** Says which process it is in. */
  setProcess(pid: number | undefined): void
  /** Says that whoever started it left, and it goes on. */
  setDetached(): void
}

/** The capsules that run now. */
export interface RunningTable {
  /** Enters a run that also ends by `signal`. @throws CapsuleError `ERR_CAPSULES_TOO_MANY` */
  enter(init: RunInit, signal: AbortSignal): Run
  list(): RunSummary[]
  /** The lineage of what runs or ran lately under a name, or a run's number. */
  lineageOf(nameOrId: string): string | undefined
  /** Ends the runs that match and resolves when they are gone. Returns what they were. */
  stop(matches: (run: RunSummary) => boolean): Promise<RunSummary[]>
}

interface Entry {
  readonly init: RunInit
  readonly id: number
  readonly startedAtMs: number
  readonly counters: RunCounters
  readonly controller: AbortController
  readonly left: PromiseWithResolvers<undefined>
  pid?: number | undefined
  isDetached: boolean
}

/** A table with nothing in it. */
export function createRunningTable(clock: Pick<Clock, 'nowMs'>): RunningTable {
  const entries = new Map<number, Entry>()
  const recent: { readonly id: number; readonly name: string; readonly lineage: string }[] = []
  let nextId = 1
  return {
    enter: (init, signal) => {
      if (entries.size >= RUNNING_CAPSULES_MAX) {
        throw new CapsuleError(
          'ERR_CAPSULES_TOO_MANY',
          `expected at most ${RUNNING_CAPSULES_MAX} running capsules: 'elastos capsule stop' ends one`
        )
      }
      const entry: Entry = {
        ...{ init, id: nextId++, startedAtMs: clock.nowMs(), controller: new AbortController() },
        counters: { calls: 0, bytesIn: 0, bytesOut: 0 },
        left: Promise.withResolvers(),
        isDetached: init.isDetached
      }
      entries.set(entry.id, entry)
      recent.push({ id: entry.id, name: init.name, lineage: init.lineage })
      if (recent.length > RUNNING_CAPSULES_MAX) recent.shift()
      return {
        id: entry.id,
        counters: entry.counters,
        signal: AbortSignal.any([signal, entry.controller.signal]),
        setProcess: (pid) => (entry.pid = pid),
        setDetached: () => (entry.isDetached = true),
        [Symbol.dispose]: () => {
          entries.delete(entry.id)
          entry.left.resolve(undefined)
        }
      }
    },
    list: () => [...entries.values()].map(summaryOf),
    lineageOf: (nameOrId) =>
      recent.findLast(({ id, name }) => name === nameOrId || `#${id}` === nameOrId)?.lineage,
    stop: async (matches) => {
      const chosen = [...entries.values()].filter((entry) => matches(summaryOf(entry)))
      const stopped = chosen.map(summaryOf)
      for (const { controller } of chosen) {
        controller.abort(new CapsuleError('ERR_CAPSULE_STOPPED', 'the capsule was stopped'))
      }
      await Promise.all(chosen.map(async ({ left }) => await left.promise))
      return stopped
    }
  }
}

function summaryOf({ init, id, startedAtMs, counters, pid, isDetached }: Entry): RunSummary {
  return { ...init, ...counters, id, startedAtMs, isDetached, ...(pid === undefined ? {} : { pid }) }
}
