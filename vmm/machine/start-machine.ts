import type { Clock, Random } from '#contracts'
import { encodeVmFrame, VM_FRAME, type VmFrame } from '../channel/frames.ts'
import {
  decodeExit,
  decodeFailed,
  decodeHello,
  encodeStart,
  encodeTerminalSize,
  type VmExit,
  type VmProgram,
  type VmTerminalSize
} from '../channel/messages.ts'
import type { VmStream } from '../channel/stream.ts'
import { VM_CHANNEL_VERSION, VM_SEED_BYTES, VM_START_MS_MAX } from '../constants.ts'
import { VmmError } from '../errors.ts'
import type { VmmPowers } from '../powers.ts'
import { startMonitor, type Monitor, type MonitorInit } from './monitor.ts'

/** What {@link startMachine} works with. */
export interface MachineComponents {
  powers: Pick<VmmPowers, 'spawnMonitor' | 'killProcess'>
  clock: Clock
  random: Random
}

/** A machine and what runs in it. The first of its disks is the root image of its program. */
export interface MachineInit extends MonitorInit {
  readonly program: VmProgram
  /** How long it may run, its start included. */
  readonly wallMsMax: number
  /** Ends the machine. */
  readonly signal: AbortSignal
}

/** How a machine ended. */
export type MachineOutcome =
  { readonly kind: 'exit'; readonly exit: VmExit } | { readonly kind: 'error'; readonly error: VmmError }

/** A machine that runs. Disposing it ends it. */
export interface Machine extends AsyncDisposable {
  /** Its outermost process. */
  readonly pid: number | undefined
  readonly stdin: VmStream
  /** To be read, as `stderr` and `channel`: a program waits for whoever reads what it writes. */
  readonly stdout: VmStream
  readonly stderr: VmStream
  /** The program's descriptor 3. */
  readonly channel: VmStream
  /** Sends the program and its session a signal by its number. */
  signal(number: number): void
  /** Tells the program's terminal its size. */
  resize(size: VmTerminalSize): void
  /** Resolves when the program runs; rejects with the outcome's error when it never does. */
  readonly started: Promise<void>
  /** Resolves when the machine has ended and nothing of it is left; never rejects. */
  readonly finished: Promise<MachineOutcome>
}

/** The user a guest's program runs as: nobody there has more, and the host's nobody is somebody else. */
export const PROGRAM_USER = 1000
/** How bubblewrap ends when what it holds was killed. */
const KILLED_EXIT_CODE = 137

/**
 * Starts a machine in its jail and its program in the machine.
 *
 * @throws VmmError `ERR_VM_PLAN` for a machine that cannot be, or without a root image
 */
export function startMachine(components: MachineComponents, init: MachineInit): Machine {
  checkMachine(init)
  return runMachine(components, init, { monitor: startMonitor(components, init), isUp: false })
}

/**
 * Refuses here what would be refused when the guest is up.
 *
 * @throws VmmError `ERR_VM_PLAN`; the reason of its signal
 */
export function checkMachine({ signal, disks, program }: MachineInit): void {
  signal.throwIfAborted()
  if (disks.length === 0) throw new VmmError('ERR_VM_PLAN', 'expected a root image')
  // The real one gets its seed then.
  encodeStart({ program, userId: PROGRAM_USER, seed: new Uint8Array(VM_SEED_BYTES), nowMs: 0 })
}

/**
 * Runs a program in the machine of a monitor that was started for it.
 *
 * @param started - whether its guest said already that it is up, as one does that starts where a template was taken
 */
export function runMachine(
  components: MachineComponents,
  init: MachineInit,
  started: { readonly monitor: Monitor; readonly isUp: boolean }
): Machine {
  const run = new MachineRun(components, init, started)
  const { monitor } = run
  const { stdin, stdout, stderr, channel } = monitor.channel
  // A guest whose program does not run yet takes no such thing.
  const tell = (frame: Uint8Array): void =>
    void run.started.then(
      () => monitor.send(frame),
      () => undefined
    )
  return {
    ...{ pid: monitor.pid, stdin, stdout, stderr, channel },
    started: run.started,
    finished: run.finished,
    signal: (number) => tell(encodeVmFrame(VM_FRAME.signal, 0, Uint8Array.of(number))),
    resize: (size) => tell(encodeVmFrame(VM_FRAME.resize, 0, encodeTerminalSize(size))),
    [Symbol.asyncDispose]: async () => {
      run.stop()
      await run.finished
    }
  }
}

/** One machine from its start to nothing left. */
class MachineRun {
  readonly monitor: Monitor
  readonly started: Promise<void>
  readonly finished: Promise<MachineOutcome>
  readonly #components: MachineComponents
  readonly #init: MachineInit
  readonly #running: PromiseWithResolvers<void> = Promise.withResolvers()
  readonly #decided: PromiseWithResolvers<MachineOutcome> = Promise.withResolvers()
  readonly #startedMs: number
  /** What the guest says next. */
  #awaits: 'hello' | 'running' | 'exit' | 'nothing' = 'hello'

  constructor(
    components: MachineComponents,
    init: MachineInit,
    { monitor, isUp }: { readonly monitor: Monitor; readonly isUp: boolean }
  ) {
    this.#components = components
    this.#init = init
    this.#startedMs = components.clock.monotonicMs()
    this.monitor = monitor
    monitor.listen({ take: (frame) => this.#take(frame), fail: (error) => this.#fail(error) })
    if (isUp) this.#start([VM_CHANNEL_VERSION])
    this.started = this.#running.promise
    // Whoever does not wait for it learns from `finished`.
    this.started.catch(() => undefined)
    this.finished = this.#finish()
  }

  stop(): void {
    this.#fail(new VmmError('ERR_VM_STOPPED', 'the machine was ended by its owner'))
  }

  async #finish(): Promise<MachineOutcome> {
    const { clock } = this.#components
    const { signal, wallMsMax } = this.#init
    const stop = (): void => this.stop()
    signal.addEventListener('abort', stop, { once: true })
    if (signal.aborted) stop()
    using _startLimit = clock.after(VM_START_MS_MAX, () => {
      if (this.#awaits === 'hello' || this.#awaits === 'running') this.#failStart('in time')
    })
    using _wallLimit = clock.after(wallMsMax, () => {
      this.#fail(new VmmError('ERR_VM_TIME_LIMIT', `the machine ran longer than ${wallMsMax} ms`))
    })
    void this.monitor.ended.then(({ code, signal: by, failure }) => {
      const how = failure?.message ?? `its monitor ended with ${by ?? code ?? 'nothing'}`
      if (this.#awaits === 'hello') this.#failStart(how)
      else this.#fail(by === 'SIGKILL' || code === KILLED_EXIT_CODE ? this.#killed(how) : this.#crash(how))
    })
    const outcome = await this.#decided.promise
    signal.removeEventListener('abort', stop)
    await this.monitor.end()
    if (outcome.kind === 'error') this.#running.reject(outcome.error)
    return outcome
  }

  /** @throws VmmError `ERR_VM_CHANNEL` for what the guest may not say now */
  #take({ type, payload }: VmFrame): void {
    if (type === VM_FRAME.hello && this.#awaits === 'hello') this.#start(decodeHello(payload))
    else if (type === VM_FRAME.running && this.#awaits === 'running' && payload.byteLength === 0) {
      this.#awaits = 'exit'
      this.monitor.channel.open()
      this.#running.resolve()
    } else if (type === VM_FRAME.exit && this.#awaits === 'exit') {
      this.#awaits = 'nothing'
      this.#decided.resolve({ kind: 'exit', exit: decodeExit(payload) })
    } else if (type === VM_FRAME.failed && this.#awaits === 'running') {
      this.#awaits = 'nothing'
      this.#fail(decodeFailed(payload))
    } else throw new VmmError('ERR_VM_CHANNEL', `expected no frame ${type} of the guest now`)
  }

  #start(versions: readonly number[]): void {
    if (!versions.includes(VM_CHANNEL_VERSION)) {
      throw new VmmError('ERR_VM_CHANNEL', `expected a guest that speaks version ${VM_CHANNEL_VERSION}`)
    }
    this.#awaits = 'running'
    const { clock, random } = this.#components
    const seed = random.bytes(VM_SEED_BYTES)
    const start = { program: this.#init.program, userId: PROGRAM_USER, seed, nowMs: clock.nowMs() }
    this.monitor.send(encodeVmFrame(VM_FRAME.start, 0, encodeStart(start)))
  }

  #failStart(how: string): void {
    this.#fail(
      new VmmError('ERR_VM_START', `expected the guest to say that it is up, ${how}`, {
        detail: this.monitor.log()
      })
    )
  }

  /** The kernel kills so whoever used up its processor time, and says no reason: it takes at least so long to use it up. */
  #killed(how: string): VmmError {
    const { cpus, limits } = this.#init
    // Beside its processors a machine has a thread that moves its bytes.
    const msMin = (limits.cpuSecondsMax * 1000) / (cpus + 1)
    if (this.#components.clock.monotonicMs() - this.#startedMs < msMin) return this.#crash(how)
    const text = `the machine was killed, as one is that used ${limits.cpuSecondsMax} s of processor time`
    return new VmmError('ERR_VM_TIME_LIMIT', text, { detail: this.monitor.log() })
  }

  #crash(how: string): VmmError {
    return new VmmError('ERR_VM_CRASHED', `expected to hear how the program ended, ${how}`, {
      detail: this.monitor.log()
    })
  }

  #fail(error: VmmError): void {
    this.#decided.resolve({ kind: 'error', error })
  }
}
