import type { Clock } from '#contracts'
import { CPU_CHECK_MS_MAX, CPU_CHECK_MS_MIN, CPU_THREADS_EXPECTED } from '../constants.ts'
import type { HostPowers } from '../powers.ts'

/** Whose processor time is watched, and what happens when it is used up. */
export interface CpuWatchInit {
  readonly pid: Promise<number | undefined>
  /** Milliseconds of processor time from now. */
  readonly cpuMsMax: number
  /** Called once at most. */
  readonly onUsedUp: () => void
}

/**
 * Ends the watched process's right to the processor, exactly: what it used before is not counted, and the closer it comes
 * to its limit the more often it is looked at. The kernel's own limit counts from the start of the process, in whole
 * seconds; it stands behind this one. Where the system does not say what a process used, only the kernel counts.
 */
export function watchCpu(
  components: { clock: Clock; powers: Pick<HostPowers, 'processorMs'> },
  { pid, cpuMsMax, onUsedUp }: CpuWatchInit
): Disposable {
  const { clock, powers } = components
  let next: Disposable | undefined
  let isOver = false

  const look = async (id: number, startMs: number, lastMs: number): Promise<void> => {
    const usedMs = await powers.processorMs(id)
    if (isOver || usedMs === undefined) return
    const leftMs = cpuMsMax - (usedMs - startMs)
    if (leftMs <= 0) {
      onUsedUp()
      return
    }
    // A process at rest just before its limit is not looked at every few milliseconds.
    const isAtRest = usedMs - lastMs < 1
    const soonMs = isAtRest ? Math.max(leftMs, 20 * CPU_CHECK_MS_MIN) : leftMs / CPU_THREADS_EXPECTED
    plan(id, startMs, { usedMs, waitMs: Math.min(Math.max(soonMs, CPU_CHECK_MS_MIN), CPU_CHECK_MS_MAX) })
  }
  const plan = (
    id: number,
    startMs: number,
    { usedMs, waitMs }: { usedMs: number; waitMs: number }
  ): void => {
    next = clock.after(waitMs, () => void look(id, startMs, usedMs))
  }
  const begin = async (): Promise<void> => {
    const id = await pid
    if (id === undefined || isOver) return
    const startMs = await powers.processorMs(id)
    if (startMs !== undefined && !isOver) await look(id, startMs, startMs)
  }
  void begin()
  return {
    [Symbol.dispose]: () => {
      isOver = true
      next?.[Symbol.dispose]()
    }
  }
}
