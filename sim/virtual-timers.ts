import { promisify } from 'node:util'
import { createScheduler, type Scheduler } from './parts/scheduler.ts'

type Callback = (...args: unknown[]) => void

/** The functions that Node has for timers, over a scheduler: what `globalThis` and `node:timers` get. */
interface TimerFunctions {
  setTimeout(task: Callback, durationMs?: number, ...args: unknown[]): VirtualTimer
  setInterval(task: Callback, periodMs?: number, ...args: unknown[]): VirtualTimer
  setImmediate(task: Callback, ...args: unknown[]): VirtualTimer
  clearTimeout(timer: unknown): void
  clearInterval(timer: unknown): void
  clearImmediate(timer: unknown): void
}

/** What `node:timers/promises` gets. */
interface TimerPromises {
  setTimeout<T>(
    durationMs?: number,
    value?: T,
    options?: { readonly signal?: AbortSignal }
  ): Promise<T | undefined>
  setImmediate<T>(value?: T): Promise<T | undefined>
}

/** Timers of a process, over virtual time that starts at 0. */
export interface VirtualTimers extends Pick<Scheduler, 'nowMs' | 'after' | 'next'> {
  readonly functions: TimerFunctions
  readonly promises: TimerPromises
}

/** What `setTimeout` counts as the least and the most, as Node does. */
const DURATION_MS = { min: 1, max: 2 ** 31 - 1 } as const

/** Timers in a heap, without what makes those of a library for tests slow: a closure and an object or two for each. */
export function createVirtualTimers(): VirtualTimers {
  const scheduler = createScheduler()
  const numbered = new Map<number, VirtualTimer>()
  const start = (task: () => void, durationMs: number, isRepeated = false): VirtualTimer =>
    new VirtualTimer({ scheduler, numbered }, { task, durationMs, isRepeated })
  const clear = (timer: unknown): void => {
    const found = timer instanceof VirtualTimer ? timer : numbered.get(Number(timer))
    found?.close()
  }
  const functions: TimerFunctions = {
    setTimeout: (task, durationMs, ...args) => start(bound(task, args), durationOf(durationMs)),
    setInterval: (task, periodMs, ...args) => start(bound(task, args), durationOf(periodMs), true),
    setImmediate: (task, ...args) => start(bound(task, args), 0),
    ...{ clearTimeout: clear, clearInterval: clear, clearImmediate: clear }
  }
  const promises: TimerPromises = {
    setTimeout: async (durationMs, value, { signal } = {}) => {
      await sleep(functions, durationMs, signal)
      return value
    },
    setImmediate: async (value) => {
      await new Promise<void>((resolve) => functions.setImmediate(() => resolve()))
      return value
    }
  }
  Object.assign(functions.setTimeout, { [promisify.custom]: promises.setTimeout })
  Object.assign(functions.setImmediate, { [promisify.custom]: promises.setImmediate })
  const { nowMs, after, next } = scheduler
  return { nowMs, after, next, functions, promises }
}

interface TimerGround {
  readonly scheduler: Pick<Scheduler, 'after'>
  /** Timers whose number somebody asked for. */
  readonly numbered: Map<number, VirtualTimer>
}

interface TimerInit {
  readonly task: () => void
  readonly durationMs: number
  readonly isRepeated: boolean
}

let numbers = 0

/** What `setTimeout` and its like return. */
class VirtualTimer implements Disposable {
  readonly #ground: TimerGround
  readonly #init: TimerInit
  #waiting: Disposable | undefined
  #isRefed = true
  #number: number | undefined

  constructor(ground: TimerGround, init: TimerInit) {
    this.#ground = ground
    this.#init = init
    this.refresh()
  }

  ref(): this {
    this.#isRefed = true
    return this
  }

  unref(): this {
    this.#isRefed = false
    return this
  }

  hasRef(): boolean {
    return this.#isRefed
  }

  /** Begins to wait anew. */
  refresh(): this {
    this.#waiting?.[Symbol.dispose]()
    this.#waiting = this.#ground.scheduler.after(this.#init.durationMs, () => this.#ring())
    return this
  }

  close(): this {
    this.#waiting?.[Symbol.dispose]()
    this.#waiting = undefined
    if (this.#number !== undefined) this.#ground.numbered.delete(this.#number)
    return this
  }

  [Symbol.dispose](): void {
    this.close()
  }

  [Symbol.toPrimitive](): number {
    this.#number ??= ++numbers
    if (this.#waiting !== undefined) this.#ground.numbered.set(this.#number, this)
    return this.#number
  }

  #ring(): void {
    if (this.#init.isRepeated) this.refresh()
    else this.close()
    this.#init.task()
  }
}

function bound(task: Callback, args: readonly unknown[]): () => void {
  if (typeof task !== 'function') throw new TypeError(`expected a function for a timer, got ${typeof task}`)
  return args.length === 0 ? task : () => task(...args)
}

function durationOf(durationMs: number | undefined): number {
  const whole = Math.trunc(Number(durationMs))
  return whole >= DURATION_MS.min && whole <= DURATION_MS.max ? whole : DURATION_MS.min
}

async function sleep(
  { setTimeout, clearTimeout }: TimerFunctions,
  durationMs: number | undefined,
  signal: AbortSignal | undefined
): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  const abort = (): void => {
    clearTimeout(timer)
    reject(Object.assign(new Error('The operation was aborted', { cause: signal?.reason }), ABORTED))
  }
  const timer = setTimeout(() => {
    signal?.removeEventListener('abort', abort)
    resolve()
  }, durationMs)
  signal?.addEventListener('abort', abort, { once: true })
  if (signal?.aborted === true) abort()
  await promise
}

/** How Node names it. */
const ABORTED = { name: 'AbortError', code: 'ABORT_ERR' }
