import type { System } from './system.ts'

/** How a script ended that nothing could wake any more while its main function was still waiting. */
const STUCK_EXIT_CODE = 13
/** Exit code of a script that ended by an error of its own. */
const ERROR_EXIT_CODE = 70
/** What the runtime module takes for "again": no exit code is negative. */
const AGAIN = -1

/** Options of {@link EventLoop.onReadable}. */
export interface ReadableOptions {
  /** Asked before each wait: whether this alone keeps the capsule running. It does when absent. */
  readonly keepsAlive?: () => boolean
}

/** A capsule's turns: its timers, its descriptors and its main function. */
export interface EventLoop {
  /** Calls `task` once when a descriptor can be read, or has ended. The returned function takes that back. */
  onReadable(descriptor: number, task: () => void, options?: ReadableOptions): () => void
  /** Calls `task` once after `delayMs`, or every `delayMs` when it repeats; the number cancels it. */
  schedule(task: () => void, delayMs: number, isRepeating: boolean): number
  cancel(timer: number): void
  /** The code the capsule ends with when it has nothing left to do. */
  exitCode: number
}

interface Timer {
  readonly id: number
  readonly task: () => void
  readonly delayMs: number
  readonly isRepeating: boolean
  dueMs: number
}

interface Waiter {
  readonly descriptor: number
  readonly task: () => void
  readonly keepsAlive: () => boolean
}

/** What the runtime module calls. */
export interface Turns {
  /** Hands over the script. */
  begin(main: () => unknown): void
  /** One turn: the exit code, or a negative number to be called again. */
  turn(): number
  /** A promise was rejected that nobody handles, or somebody handles after all. */
  rejected(promise: unknown, reason: unknown, isHandled: number): void
}

/** Options of {@link createEventLoop}. */
export interface EventLoopInit {
  readonly system: System
  /** Shows the error that ends the script. */
  readonly report: (error: unknown) => void
}

/** Creates the loop of one capsule. */
export function createEventLoop(init: EventLoopInit): { loop: EventLoop; turns: Turns } {
  const loop = new Loop(init)
  return { loop, turns: loop }
}

class Loop implements EventLoop, Turns {
  exitCode = 0
  readonly #init: EventLoopInit
  readonly #timers = new Map<number, Timer>()
  readonly #waiters = new Set<Waiter>()
  readonly #rejections = new Map<unknown, unknown>()
  #nextTimer = 1
  #wasTimer = false
  #main: (() => unknown) | undefined
  #state: 'new' | 'running' | 'settled' = 'new'

  constructor(init: EventLoopInit) {
    this.#init = init
  }

  onReadable(descriptor: number, task: () => void, options: ReadableOptions = {}): () => void {
    const waiter = { descriptor, task, keepsAlive: options.keepsAlive ?? (() => true) }
    this.#waiters.add(waiter)
    return () => this.#waiters.delete(waiter)
  }

  schedule(task: () => void, delayMs: number, isRepeating: boolean): number {
    const id = this.#nextTimer++
    const delay = delayMs >= 1 ? Math.min(delayMs, 0x7fff_ffff) : 1
    const dueMs = this.#init.system.monotonicMs() + delay
    this.#timers.set(id, { id, task, delayMs: delay, isRepeating, dueMs })
    return id
  }

  cancel(timer: number): void {
    this.#timers.delete(timer)
  }

  begin(main: () => unknown): void {
    this.#main = main
  }

  turn(): number {
    try {
      if (this.#state === 'new') return this.#start()
      for (const reason of this.#rejections.values()) return this.#fail(reason)
      return this.#wait()
    } catch (thrown) {
      return this.#fail(thrown)
    }
  }

  rejected(promise: unknown, reason: unknown, isHandled: number): void {
    if (isHandled === 0) this.#rejections.set(promise, reason)
    else this.#rejections.delete(promise)
  }

  #start(): number {
    this.#state = 'running'
    const ended = Promise.resolve(this.#main?.())
    // Handled here so that it is the reason of the end, whatever else goes wrong with it.
    void ended.then(() => {
      this.#state = 'settled'
    })
    return AGAIN
  }

  #fail(error: unknown): number {
    this.#init.report(error)
    return ERROR_EXIT_CODE
  }

  /** Waits for what comes next and does it, or ends when nothing can come. */
  #wait(): number {
    const isWaiting = this.#timers.size > 0 || [...this.#waiters].some((waiter) => waiter.keepsAlive())
    if (!isWaiting) {
      if (this.#state === 'settled') return this.exitCode
      this.#init.report('the capsule waits for something that can never happen')
      return STUCK_EXIT_CODE
    }
    const { system } = this.#init
    const descriptors = [...new Set([...this.#waiters].map((waiter) => waiter.descriptor))]
    const dueMs = Math.min(...[...this.#timers.values()].map((timer) => timer.dueMs))
    const ready = system.wait(descriptors, dueMs === Infinity ? undefined : dueMs - system.monotonicMs())
    // One task a turn, so that what it promised is done before the next one runs; neither kind starves the other.
    const timer = (): (() => void) | undefined => this.#dueTimer()
    const waiter = (): (() => void) | undefined => this.#readyWaiter(ready)
    const task = this.#wasTimer ? (waiter() ?? timer()) : (timer() ?? waiter())
    task?.()
    return AGAIN
  }

  #dueTimer(): (() => void) | undefined {
    const nowMs = this.#init.system.monotonicMs()
    const [timer] = [...this.#timers.values()]
      .filter(({ dueMs }) => dueMs <= nowMs)
      .sort((a, b) => a.dueMs - b.dueMs || a.id - b.id)
    this.#wasTimer = timer !== undefined
    if (timer === undefined) return undefined
    if (timer.isRepeating) timer.dueMs = nowMs + timer.delayMs
    else this.#timers.delete(timer.id)
    return timer.task
  }

  #readyWaiter(ready: readonly number[]): (() => void) | undefined {
    for (const waiter of this.#waiters) {
      if (!ready.includes(waiter.descriptor)) continue
      this.#waiters.delete(waiter)
      this.#wasTimer = false
      return waiter.task
    }
    return undefined
  }
}
