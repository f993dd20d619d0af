import { OPERATION_DEADLINE_MS } from './constants.ts'
import { SimError } from './errors.ts'
import type { VirtualProcess } from './powers.ts'

/** Drives time: nothing happens unless one of these runs, and only one may at a time. */
export interface VirtualTime {
  /** Milliseconds since the simulation began. */
  nowMs(): number
  /** Lets so much time pass. */
  run(init: { readonly durationMs: number }): Promise<void>
  /**
   * Lets time pass until `work` is done, and gives its result or throws what it throws.
   *
   * @throws SimError `ERR_SIM_STUCK` after `deadlineMs`
   */
  complete<T>(work: Promise<T>, deadlineMs?: number): Promise<T>
  /**
   * Lets time pass until `condition` holds; `what` says what is waited for.
   *
   * @throws SimError `ERR_SIM_STUCK` after `deadlineMs`
   */
  until(what: string, condition: () => boolean, deadlineMs?: number): Promise<void>
}

/** Time of this process, from now on. */
export function createVirtualTime(virtual: VirtualProcess): VirtualTime {
  const startMs = virtual.nowMs()
  let isDriving = false

  /** True when it is done, false when the time is over first. */
  const drive = async (durationMs: number, isDone: () => boolean): Promise<boolean> => {
    if (isDriving) {
      throw new SimError('ERR_SIM_BUSY', 'expected one operation at a time to drive time: join them in one')
    }
    isDriving = true
    let isOver = false
    using _end = virtual.schedule(durationMs, () => (isOver = true))
    try {
      await virtual.drive(() => isOver || isDone())
      return isDone()
    } finally {
      isDriving = false
    }
  }

  return {
    nowMs: () => virtual.nowMs() - startMs,
    run: async ({ durationMs }) => {
      await drive(durationMs, () => false)
    },
    complete: async (work, deadlineMs = OPERATION_DEADLINE_MS) => {
      let isSettled = false
      const settled = (): void => void (isSettled = true)
      work.then(settled, settled)
      if (await drive(deadlineMs, () => isSettled)) return await work
      throw new SimError('ERR_SIM_STUCK', `expected an operation to be done within ${deadlineMs} virtual ms`)
    },
    until: async (what, condition, deadlineMs = OPERATION_DEADLINE_MS) => {
      if (await drive(deadlineMs, condition)) return
      throw new SimError('ERR_SIM_STUCK', `expected ${what} within ${deadlineMs} virtual ms`)
    }
  }
}
