import { errorMessage, type Clock, type Logger } from '#contracts'
import { VM_SPARE_AFTER_MS, VM_WARM_MS_MAX } from '../constants.ts'
import type { Monitor } from '../machine/monitor.ts'

/** What {@link createSpareMonitor} works with. */
export interface SpareMonitorComponents {
  readonly clock: Clock
  readonly logger: Logger
}

/** A monitor that is started on a template, with nothing restored in it yet. */
export interface StartedSpare {
  readonly monitor: Monitor
  /** By what one sees that the template is still the one it was started on. */
  readonly mark: string
}

/** A monitor that is to wait. */
export interface SpareInit {
  /** Which machines can have it. */
  readonly kind: string
  /** Whether there should be one, asked when its time has come: one that waits ends where there should be none. */
  isWanted(): Promise<boolean>
  /** Starts it; `undefined` where that cannot be. */
  start(): Promise<StartedSpare | undefined>
}

/**
 * The one monitor that is started already when a machine is asked for: its process, its jail and its own start are over, and nothing
 * of a guest or of a capsule is in it. It ends after ten minutes in which no machine of its kind was asked for.
 */
export interface SpareMonitor extends AsyncDisposable {
  /** Monitors that wait: one or none. */
  readonly count: number
  /**
   * Has one of this kind wait a moment from now, in place of what was planned or waits; one of this kind that waits already
   * waits on.
   */
  plan(init: SpareInit): void
  /** The one that waits, where it is of this kind and its template is as it was; whoever takes it ends it. */
  take(kind: string, mark: string): Monitor | undefined
  /** Ends the one that waits if it is meant. */
  drop(isMeant: (kind: string) => boolean): Promise<void>
  /** Resolves when none is being started. */
  settled(): Promise<void>
}

/** No monitor waits before one is planned. */
export function createSpareMonitor(components: SpareMonitorComponents): SpareMonitor {
  return new OneMonitor(components)
}

interface Held extends StartedSpare {
  readonly kind: string
  idle: Disposable
}

class OneMonitor implements SpareMonitor {
  readonly #clock: Clock
  readonly #logger: Logger
  #held: Held | undefined
  #due: Disposable | undefined
  #isDisposed = false
  /** One after the other, so that there are never two. */
  #starting: Promise<void> = Promise.resolve()

  constructor({ clock, logger }: SpareMonitorComponents) {
    this.#clock = clock
    this.#logger = logger
  }

  get count(): number {
    return this.#held === undefined ? 0 : 1
  }

  plan(init: SpareInit): void {
    this.#due?.[Symbol.dispose]()
    if (this.#isDisposed) return
    this.#due = this.#clock.after(VM_SPARE_AFTER_MS, () => {
      this.#starting = this.#starting
        .then(() => this.#replace(init))
        .catch((thrown: unknown) =>
          this.#logger.info('no monitor waits', { kind: init.kind, error: errorMessage(thrown) })
        )
    })
  }

  take(kind: string, mark: string): Monitor | undefined {
    const held = this.#held
    if (held?.kind !== kind) return undefined
    this.#forget(held)
    if (held.mark === mark) return held.monitor
    void held.monitor.end()
    return undefined
  }

  async drop(isMeant: (kind: string) => boolean): Promise<void> {
    const held = this.#held
    if (held === undefined || !isMeant(held.kind)) return
    this.#forget(held)
    await held.monitor.end()
  }

  async settled(): Promise<void> {
    for (let last; last !== this.#starting;) {
      last = this.#starting
      await last
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isDisposed = true
    this.#due?.[Symbol.dispose]()
    await this.drop(() => true)
    await this.#starting
  }

  async #replace(init: SpareInit): Promise<void> {
    const { kind } = init
    const isWanted = !this.#isDisposed && (await init.isWanted())
    if (isWanted && this.#held?.kind === kind) {
      this.#wait(this.#held)
      return
    }
    await this.drop(() => true)
    const started = isWanted ? await init.start() : undefined
    if (started === undefined) return
    await this.#hold({ ...started, kind, idle: { [Symbol.dispose]: () => undefined } })
  }

  async #hold(held: Held): Promise<void> {
    const { monitor, kind } = held
    if (this.#isDisposed) {
      await monitor.end()
      return
    }
    this.#held = held
    this.#wait(held)
    const isIt = (): boolean => this.#held === held
    void monitor.ended.then(() => this.drop(isIt))
    try {
      // It answers once its own start is over.
      await monitor.control?.execute('query-status')
      this.#logger.info('a monitor waits', { kind })
    } catch (thrown) {
      await this.drop(isIt)
      throw thrown
    }
  }

  #wait(held: Held): void {
    held.idle[Symbol.dispose]()
    held.idle = this.#clock.after(VM_WARM_MS_MAX, () => void this.drop(() => this.#held === held))
  }

  #forget(held: Held): void {
    held.idle[Symbol.dispose]()
    this.#held = undefined
  }
}
