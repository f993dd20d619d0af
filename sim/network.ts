import type { Clock } from '#contracts'
import { CONNECT_TIMEOUT_MS, DEAD_LINK_MS } from './constants.ts'
import { SimError } from './errors.ts'
import { createLines, type LinesInit } from './lines.ts'
import type { PipeConditions } from './pipe.ts'
import type { Trace } from './trace.ts'

/** A connection between two nodes, as the network sees it. */
export interface Link {
  readonly from: string
  readonly to: string
  /** The network connects the two again. */
  mend(): void
  /** Nothing got through for so long that both ends give up. */
  fail(): void
}

/** The lines between nodes, by their names. */
export interface Network {
  /**
   * Resolves when the other side would have answered a dial.
   *
   * @throws SimError `ERR_SIM_UNREACHABLE` when nothing gets through; the reason of `signal`
   */
  reach(from: string, to: string, signal: AbortSignal): Promise<void>
  /** Keeps a connection until disposed, and fails it when it is cut for long. */
  add(link: Link): Disposable
  conditions(from: string, to: string): PipeConditions
  /** Puts nodes into groups that cannot reach each other; nodes in no group reach everybody. */
  partition(groups: readonly (readonly string[])[]): void
  /** Ends the partition. */
  heal(): void
}

/** Creates a network in which everybody reaches everybody. */
export function createNetwork(clock: Clock, trace: Pick<Trace, 'add'>, init: LinesInit): Network {
  const lines = createLines(init)
  const links = new Set<Link>()
  const groupOf = new Map<string, number>()
  const dying = new Map<Link, Disposable>()

  const isCut = (from: string, to: string): boolean => {
    const [a, b] = [groupOf.get(from), groupOf.get(to)]
    return a !== undefined && b !== undefined && a !== b
  }
  const forget = (link: Link): boolean => {
    dying.get(link)?.[Symbol.dispose]()
    return dying.delete(link)
  }
  /** Brings a connection into step with who reaches whom. */
  const review = (link: Link): void => {
    if (!isCut(link.from, link.to)) {
      if (forget(link)) link.mend()
    } else if (!dying.has(link)) {
      const fail = (): void => link.fail()
      dying.set(link, clock.after(DEAD_LINK_MS, fail))
    }
  }
  const regroup = (kind: string, groups: readonly (readonly string[])[]): void => {
    groupOf.clear()
    for (const [index, group] of groups.entries()) for (const name of group) groupOf.set(name, index)
    trace.add({ atMs: clock.monotonicMs(), from: '*', to: '*', kind })
    for (const link of [...links]) review(link)
  }

  return {
    reach: async (from, to, signal) => {
      if (isCut(from, to)) {
        await clock.sleep(CONNECT_TIMEOUT_MS, signal)
        throw new SimError('ERR_SIM_UNREACHABLE', `expected an answer from ${to}, got none`)
      }
      await clock.sleep(Math.round(2 * lines.wayMs(from, to)), signal)
    },
    add: (link) => {
      links.add(link)
      review(link)
      return {
        [Symbol.dispose]: () => {
          links.delete(link)
          forget(link)
        }
      }
    },
    conditions: (from, to) => {
      const wayMs = lines.wayMs(from, to)
      return {
        bytesPerMs: lines.bytesPerMs,
        isCut: () => isCut(from, to),
        delayMs: (byteLength) => wayMs + lines.stallMs(byteLength)
      }
    },
    partition: (groups) => regroup('partition', groups),
    heal: () => regroup('heal', [])
  }
}
