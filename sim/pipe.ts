import type { Clock } from '#contracts'
import { SEND_BUFFER_BYTES_MAX } from './constants.ts'

/** What one direction of a connection is like at this moment. */
export interface PipeConditions {
  /** Whether nothing gets through. */
  isCut(): boolean
  /** What so many bytes need beside their own time on the line: the way, and what is lost on it. */
  delayMs(byteLength: number): number
  readonly bytesPerMs: number
}

interface InFlight {
  readonly dueMs: number
  readonly byteLength: number
  readonly deliver: () => void
}

/** One direction of a connection, as TCP gives it: nothing is lost and nothing overtakes, it only comes late. */
export interface Pipe extends Disposable {
  /** Sends so many bytes; false when the sender should wait for `onDrain`. */
  send(byteLength: number, deliver: () => void): boolean
  /** The receiver takes nothing for now; what comes stays in the pipe. */
  setPaused(isPaused: boolean): void
  /** The cut is mended: what was held is sent again. */
  mend(): void
}

/** Creates a pipe; disposing it drops what is in it. */
export function createPipe(clock: Clock, conditions: PipeConditions, onDrain: () => void): Pipe {
  const queue: InFlight[] = []
  let queuedBytes = 0
  let lineFreeMs = 0
  let lastDueMs = 0
  let isPaused = false
  let isFull = false
  let isClosed = false
  let timer: Disposable | undefined

  const isHeld = (): boolean => isPaused || conditions.isCut()
  const deliverDue = (): void => {
    timer = undefined
    for (let head = queue[0]; head !== undefined && !isHeld(); head = queue[0]) {
      if (head.dueMs > clock.monotonicMs()) break
      queue.shift()
      queuedBytes -= head.byteLength
      head.deliver()
    }
    wait()
    if (!isFull || queuedBytes > SEND_BUFFER_BYTES_MAX / 2) return
    isFull = false
    onDrain()
  }
  const wait = (): void => {
    const [head] = queue
    if (head === undefined || timer !== undefined || isHeld()) return
    timer = clock.after(Math.max(0, head.dueMs - clock.monotonicMs()), deliverDue)
  }

  return {
    send: (byteLength, deliver) => {
      if (isClosed) return true
      lineFreeMs = Math.max(clock.monotonicMs(), lineFreeMs) + byteLength / conditions.bytesPerMs
      lastDueMs = Math.max(lastDueMs, Math.round(lineFreeMs + conditions.delayMs(byteLength)))
      queue.push({ dueMs: lastDueMs, byteLength, deliver })
      queuedBytes += byteLength
      wait()
      isFull ||= queuedBytes > SEND_BUFFER_BYTES_MAX
      return !isFull
    },
    setPaused: (value) => {
      isPaused = value
      wait()
    },
    mend: () => {
      // sent again from the start of what was held, with the way before it
      const againMs = Math.round(clock.monotonicMs() + conditions.delayMs(0))
      for (const [index, held] of queue.entries()) {
        queue[index] = { ...held, dueMs: Math.max(held.dueMs, againMs) }
      }
      lastDueMs = Math.max(lastDueMs, againMs)
      wait()
    },
    [Symbol.dispose]: () => {
      isClosed = true
      timer?.[Symbol.dispose]()
      queue.length = 0
      queuedBytes = 0
    }
  }
}
