import type { Clock } from '#contracts'
import {
  BUSY_CHECK_MS,
  BUSY_NICENESS,
  BUSY_SHARE_END,
  BUSY_SHARE_MIN,
  CPU_CHECK_AT_REST_MS_MIN,
  CPU_CHECK_MS_MAX,
  CPU_CHECK_MS_MIN,
  CPU_THREADS_EXPECTED,
  PROCESS_NICENESS
} from '../constants.ts'
import type { HostPowers, ProcessorTimes } from '../powers.ts'

/** What {@link CpuWatch} works with. */
export interface CpuWatchComponents {
  clock: Clock
  powers: Pick<HostPowers, 'processorTimes' | 'yieldSession'>
}

/** Whose processor time is watched, and what happens when it is used up. */
export interface CpuWatchInit {
  readonly pid: Promise<number | undefined>
  /** Milliseconds of processor time from now. */
  readonly cpuMsMax: number
  /** Called once at most. */
  readonly onUsedUp: () => void
}

/** What was used, and when that was so. */
interface Look extends ProcessorTimes {
  readonly atMs: number
}

/**
 * Watches the processor time of one capsule. What its process used before is not counted, and the closer it comes to its
 * limit the more often it is looked at; the kernel's own limit counts from the start of the process, in whole seconds, and
 * stands behind this one. Where the system does not say what a process used, only the kernel counts.
 *
 * A process that never waits for anybody is made to yield to those that do. That is judged by the time in which it ran or
 * wanted to: beside a hundred others even one that computes for ever runs but a fiftieth of the time.
 */
export class CpuWatch implements Disposable {
  readonly #components: CpuWatchComponents
  readonly #init: CpuWatchInit
  #next: Disposable | undefined
  #isOver = false
  #isBusy = false
  /** The look from which the share is judged. */
  #mark: Look = { atMs: 0, usedMs: 0, activeMs: 0 }

  constructor(components: CpuWatchComponents, init: CpuWatchInit) {
    this.#components = components
    this.#init = init
    void this.#begin()
  }

  [Symbol.dispose](): void {
    this.#isOver = true
    this.#next?.[Symbol.dispose]()
  }

  async #begin(): Promise<void> {
    const pid = await this.#init.pid
    const first = pid === undefined ? undefined : this.#look(pid)
    if (pid === undefined || first === undefined) return
    this.#mark = first
    this.#continue(pid, first.usedMs + this.#init.cpuMsMax, { last: first, now: first })
  }

  #look(pid: number): Look | undefined {
    const { clock, powers } = this.#components
    const times = this.#isOver ? undefined : powers.processorTimes(pid)
    return times === undefined ? undefined : { atMs: clock.monotonicMs(), ...times }
  }

  #continue(pid: number, endMs: number, { last, now }: { last: Look; now: Look }): void {
    const leftMs = endMs - now.usedMs
    if (leftMs <= 0) {
      this.#init.onUsedUp()
      return
    }
    this.#judge(pid, now)
    // A process at rest just before its limit is not looked at every few milliseconds.
    const isAtRest = now.usedMs === last.usedMs
    const leastMs = isAtRest ? CPU_CHECK_AT_REST_MS_MIN : CPU_CHECK_MS_MIN
    const waitMs = Math.min(Math.max(leftMs / CPU_THREADS_EXPECTED, leastMs), CPU_CHECK_MS_MAX)
    this.#next = this.#components.clock.after(waitMs, () => {
      const next = this.#look(pid)
      if (next !== undefined) this.#continue(pid, endMs, { last: now, now: next })
    })
  }

  #judge(pid: number, now: Look): void {
    const durationMs = now.atMs - this.#mark.atMs
    if (durationMs < BUSY_CHECK_MS) return
    const share = (now.activeMs - this.#mark.activeMs) / durationMs
    this.#mark = now
    const isBusy = share >= (this.#isBusy ? BUSY_SHARE_END : BUSY_SHARE_MIN)
    if (isBusy === this.#isBusy) return
    this.#isBusy = isBusy
    void this.#components.powers.yieldSession(pid, isBusy ? BUSY_NICENESS : PROCESS_NICENESS)
  }
}
