import { errorMessage, type Clock, type Logger } from '#contracts'
import {
  POOL_FAILURES_MAX,
  POOL_LIMIT_DELAY_MS,
  POOL_REFILL_DELAY_MS,
  POOL_WARM_MAX,
  PROCESS_START_MS_MAX
} from '../constants.ts'
import { FRAME } from '../guest/frames.ts'
import { CAPSULE_LIMIT_CEILINGS, DEFAULT_CAPSULE_LIMITS } from '../limits.ts'
import type { HostPowers } from '../powers.ts'
import { startGuestProcess, type GuestProcess } from '../process/guest-process.ts'
import { SharedOutput } from '../process/shared-output.ts'
import { assignmentArguments, type ProcessLimits } from '../sandbox/command.ts'
import type { SandboxReport } from '../sandbox/report.ts'
import { runProgram } from '../sandbox/run-program.ts'

/** What {@link createCapsulePool} works with. */
export interface CapsulePoolComponents {
  powers: Pick<HostPowers, 'spawn' | 'killProcess'>
  clock: Clock
  logger: Logger
  /** Without the operating system's sandbox nothing is kept: what one wrote oneself can wait for its process. */
  sandbox: SandboxReport
}

/** Options of {@link createCapsulePool}. */
export interface CapsulePoolInit {
  /** Processes that are kept ready; 1 when absent. */
  warmMax?: number
}

/**
 * Sandboxed processes that are up and wait for a capsule. Each serves one capsule and then dies; none is started before
 * the first capsule ran. Disposing it ends those that wait.
 */
export interface CapsulePool extends AsyncDisposable {
  /** How many wait. */
  readonly warmCount: number
  /** What is held back when all capsules together hand over more than one process can take beside its other work. */
  readonly output: Pick<SharedOutput, 'take'>
  /**
   * Hands over a process that is up, was never used, and is held to limits that suit `limits`; `undefined` when there is
   * none. Either way another one is started soon.
   */
  take(limits: ProcessLimits): GuestProcess | undefined
  /** Resolves when no process is being started any more. For tests and benchmarks. */
  settled(): Promise<void>
}

/**
 * What the kernel holds a waiting process to: memory of the default, so that a capsule which asks for more gets a process
 * of its own. Processor time is counted from the moment it is given a capsule.
 */
const WARM_LIMITS: ProcessLimits = {
  memoryBytesMax: DEFAULT_CAPSULE_LIMITS.memoryBytesMax,
  cpuSecondsMax: CAPSULE_LIMIT_CEILINGS.cpuSecondsMax
}

/** A pool that is empty, and stays so until the first {@link CapsulePool.take}. */
export function createCapsulePool(
  components: CapsulePoolComponents,
  init: CapsulePoolInit = {}
): CapsulePool {
  return new Pool(components, init.warmMax ?? POOL_WARM_MAX)
}

class Pool implements CapsulePool {
  readonly #components: CapsulePoolComponents
  readonly output: Pick<SharedOutput, 'take'>
  readonly #warmMax: number
  readonly #warm: GuestProcess[] = []
  readonly #stop = new AbortController()
  #delay: Disposable | undefined
  #filling: Promise<void> | undefined
  #failures = 0

  constructor(components: CapsulePoolComponents, warmMax: number) {
    this.#components = components
    this.#warmMax = warmMax
    this.output = new SharedOutput(components.clock)
  }

  get warmCount(): number {
    return this.#warm.length
  }

  take(limits: ProcessLimits): GuestProcess | undefined {
    if (this.#components.sandbox.layout === undefined || this.#stop.signal.aborted) return undefined
    const isSuited = limits.memoryBytesMax <= WARM_LIMITS.memoryBytesMax
    const guest = isSuited ? this.#warm.shift() : undefined
    // Somebody runs capsules again: what failed before may be mended.
    this.#failures = 0
    this.#refillSoon()
    if (guest !== undefined) this.#lowerLimitsLater(guest, limits)
    return guest
  }

  async settled(): Promise<void> {
    while (this.#delay !== undefined || this.#filling !== undefined) {
      if (this.#filling === undefined) await this.#components.clock.sleep(POOL_REFILL_DELAY_MS)
      await this.#filling
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort()
    this.#delay?.[Symbol.dispose]()
    this.#delay = undefined
    await this.#filling
    await Promise.all(this.#warm.splice(0).map((guest) => guest.supervisor.end()))
  }

  /**
   * Behind our own count of its processor time, which is exact, stands the kernel's. Not at once: a program is started
   * for it, and that costs this process milliseconds which a short capsule need not wait for.
   */
  #lowerLimitsLater(guest: GuestProcess, limits: ProcessLimits): void {
    const lower = (): void => void this.#lowerLimits(guest, limits)
    const timer = this.#components.clock.after(POOL_LIMIT_DELAY_MS, lower)
    void guest.process.ended.then(() => timer[Symbol.dispose]())
  }

  async #lowerLimits({ supervisor }: GuestProcess, limits: ProcessLimits): Promise<void> {
    const { powers, clock, logger, sandbox } = this.#components
    const pid = await supervisor.pid
    if (pid === undefined || sandbox.layout === undefined) return
    const args = assignmentArguments(pid, limits)
    const { end, stderr } = await runProgram(
      { powers, clock },
      {
        command: sandbox.layout.prlimit,
        args,
        identity: sandbox.layout.identity,
        deadlineMs: PROCESS_START_MS_MAX
      }
    )
    // It may have ended by now, as short programs do.
    if (end.code !== 0) logger.debug('processor time was not limited from outside', { stderr })
  }

  /** After a moment: the capsule that was just started goes first. */
  #refillSoon(): void {
    if (this.#delay !== undefined || this.#filling !== undefined) return
    this.#delay = this.#components.clock.after(POOL_REFILL_DELAY_MS, () => {
      this.#delay = undefined
      this.#filling = this.#fill().finally(() => (this.#filling = undefined))
    })
  }

  async #fill(): Promise<void> {
    while (this.#warm.length < this.#warmMax && this.#failures < POOL_FAILURES_MAX) {
      if (this.#stop.signal.aborted) return
      await this.#startOne()
    }
  }

  async #startOne(): Promise<void> {
    const guest = startGuestProcess(this.#components, WARM_LIMITS)
    const up = await this.#untilUp(guest)
    if (up === undefined || this.#stop.signal.aborted) {
      if (!this.#stop.signal.aborted) this.#noteFailure(guest)
      await guest.supervisor.end()
      return
    }
    this.#warm.push(up)
    void guest.process.ended.then(() => this.#forget(up))
  }

  /** The same process, its first frame read and kept; `undefined` when it did not come up. */
  async #untilUp(guest: GuestProcess): Promise<GuestProcess | undefined> {
    const chunks = guest.output[Symbol.asyncIterator]()
    const late = Promise.withResolvers<undefined>()
    const giveUp = (): void => late.resolve(undefined)
    using _deadline = this.#components.clock.after(PROCESS_START_MS_MAX, giveUp)
    this.#stop.signal.addEventListener('abort', giveUp, { once: true })
    const first = await Promise.race([chunks.next(), late.promise])
    this.#stop.signal.removeEventListener('abort', giveUp)
    if (first === undefined || first.done === true || first.value[0] !== FRAME.ready) return undefined
    return { ...guest, output: withHead(first.value, chunks) }
  }

  #noteFailure(guest: GuestProcess): void {
    this.#failures += 1
    this.#components.logger.warn('a capsule process ended before its capsule', { log: guest.supervisor.log })
  }

  /** A process that ended while it waited is of no use to anybody. */
  #forget(guest: GuestProcess): void {
    const index = this.#warm.indexOf(guest)
    if (index === -1) return
    this.#warm.splice(index, 1)
    // Counted, so that processes which come up only to end are not started for ever.
    this.#noteFailure(guest)
    guest.supervisor.end().catch((thrown: unknown) => {
      this.#components.logger.warn('a capsule process did not end', { error: errorMessage(thrown) })
    })
  }
}

async function* withHead(
  head: Uint8Array,
  rest: AsyncIterator<Uint8Array>
): AsyncGenerator<Uint8Array, void, void> {
  yield head
  yield* { [Symbol.asyncIterator]: () => rest }
}
