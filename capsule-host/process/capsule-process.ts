import { errorMessage, type Clock, type Logger } from '#contracts'
import {
  ARGUMENTS_MAX,
  CHANNEL_REPLY_BYTES_MAX,
  CHANNEL_MESSAGES_PER_SECOND_MAX,
  FRAMES_PER_SECOND_MAX,
  MODULE_BYTES_MAX,
  OUTPUT_BYTES_PER_SECOND_MAX,
  PROCESS_START_MS_MAX
} from '../constants.ts'
import { CapsuleError } from '../errors.ts'
import {
  FRAME,
  FRAME_PAYLOAD_BYTES_MAX,
  FrameDecoder,
  readNumberPayload,
  type FailureMessage,
  type Frame
} from '../guest/frames.ts'
import { STDIN_WINDOW_BYTES } from '../guest/wasi/constants.ts'
import type { CapsuleLimits } from '../limits.ts'
import type { HostPowers, SpawnedProcess } from '../powers.ts'
import { spawnConfined, spawnSandboxed } from '../sandbox/command.ts'
import { mendingCommands, type SandboxReport } from '../sandbox/report.ts'
import { admitModule } from '../wasm/admission.ts'
import { createRefusingChannel } from './channel.ts'
import { createGuestLink, type GuestLink } from './guest-link.ts'
import { failureError, silentEndError, type CapsuleOutcome } from './outcome.ts'
import { Rate } from './rate.ts'
import { StdinPump } from './stdin-pump.ts'
import { superviseProcess, type Supervisor } from './supervisor.ts'

/** Where a capsule's output goes. A `write` that waits holds the capsule back; one that throws ends it. */
export interface CapsuleSink {
  write(bytes: Uint8Array): Promise<void> | void
}

/** What {@link startCapsuleProcess} works with. */
export interface CapsuleProcessComponents {
  powers: Pick<HostPowers, 'spawn' | 'killProcess'>
  clock: Clock
  logger: Logger
  /** From `probeSandbox`; once per node is enough. */
  sandbox: SandboxReport
}

/** One run of a capsule. */
export interface CapsuleProcessInit {
  /** The capsule's name, its `argv[0]`. */
  name: string
  /** Its entry: a WebAssembly module whose bytes were verified. It is admitted here before anything compiles it. */
  module: Uint8Array
  /** Arguments after the name. */
  args?: readonly string[]
  limits: CapsuleLimits
  stdin: AsyncIterable<Uint8Array>
  stdout: CapsuleSink
  stderr: CapsuleSink
  /** True only for what the user wrote and asked to run: it may do without a sandbox where there is none. */
  isOwn?: boolean
  /** Ends the capsule. */
  signal: AbortSignal
}

/** A capsule that runs. Disposing it ends it. */
export interface CapsuleProcess extends AsyncDisposable {
  /** Resolves when the capsule has ended and nothing of it is left; never rejects. */
  readonly finished: Promise<CapsuleOutcome>
}

/**
 * Runs a capsule's module in a sandboxed process of its own, with nothing but its standard streams and a channel on
 * which every request is refused.
 *
 * @throws CapsuleError `ERR_SANDBOX_UNAVAILABLE` when this machine cannot hold it, with the commands that mend that;
 * `ERR_CAPSULE_ARGUMENTS`; or why the module was not admitted
 */
export function startCapsuleProcess(
  components: CapsuleProcessComponents,
  init: CapsuleProcessInit
): CapsuleProcess {
  init.signal.throwIfAborted()
  const isSandboxed = components.sandbox.layout !== undefined
  if (!isSandboxed && init.isOwn !== true) {
    throw new CapsuleError(
      'ERR_SANDBOX_UNAVAILABLE',
      'expected a sandbox to run a capsule in, this machine has none',
      { detail: mendingCommands(components.sandbox) }
    )
  }
  const args = [init.name, ...(init.args ?? [])]
  checkArguments(args)
  const { bytes } = admitModule(init.module, init.limits)
  const run = new CapsuleRun(components, init, spawnGuest(components, init.limits))
  const finished = run.run(args, bytes)
  return {
    finished,
    [Symbol.asyncDispose]: async () => {
      run.stop()
      await finished
    }
  }
}

function spawnGuest({ powers, sandbox }: CapsuleProcessComponents, limits: CapsuleLimits): SpawnedProcess {
  if (sandbox.layout === undefined) return spawnConfined(powers, sandbox.process, limits)
  return spawnSandboxed(powers, sandbox.layout, limits)
}

function checkArguments(args: readonly string[]): void {
  // JSON escapes a character into at most six, and all must fit one frame.
  const bytes = Buffer.byteLength(JSON.stringify({ args, moduleBytes: MODULE_BYTES_MAX }))
  if (args.length > ARGUMENTS_MAX || bytes > FRAME_PAYLOAD_BYTES_MAX) {
    throw new CapsuleError(
      'ERR_CAPSULE_ARGUMENTS',
      `expected at most ${ARGUMENTS_MAX} arguments of ${FRAME_PAYLOAD_BYTES_MAX} bytes, got ${args.length} of ${bytes}`
    )
  }
  if (args.some((argument) => argument.includes('\0'))) {
    throw new CapsuleError('ERR_CAPSULE_ARGUMENTS', 'expected arguments without zero characters')
  }
}

class CapsuleRun {
  readonly #components: CapsuleProcessComponents
  readonly #init: CapsuleProcessInit
  readonly #process: SpawnedProcess
  readonly #supervisor: Supervisor
  readonly #link: GuestLink
  readonly #stdin: StdinPump
  readonly #channel = createRefusingChannel()
  readonly #frameRate: Rate
  readonly #outputRate: Rate
  readonly #messageRate: Rate
  readonly #ended = new AbortController()
  readonly #decided: PromiseWithResolvers<CapsuleOutcome> = Promise.withResolvers()
  #outputBytes = 0
  #isReady = false

  constructor(components: CapsuleProcessComponents, init: CapsuleProcessInit, process: SpawnedProcess) {
    this.#components = components
    this.#init = init
    this.#process = process
    this.#supervisor = superviseProcess(components, process)
    this.#link = createGuestLink(process)
    this.#stdin = new StdinPump(init.stdin, {
      send: (bytes) => this.#link.send(FRAME.stdin, bytes),
      end: () => this.#link.signal(FRAME.stdinEnd)
    })
    this.#frameRate = new Rate(components.clock, FRAMES_PER_SECOND_MAX)
    this.#outputRate = new Rate(components.clock, OUTPUT_BYTES_PER_SECOND_MAX)
    this.#messageRate = new Rate(components.clock, CHANNEL_MESSAGES_PER_SECOND_MAX)
  }

  async run(args: readonly string[], module: Uint8Array): Promise<CapsuleOutcome> {
    const { clock } = this.#components
    const { signal, limits } = this.#init
    const stop = (): void => this.stop()
    signal.addEventListener('abort', stop, { once: true })
    using _startLimit = clock.after(PROCESS_START_MS_MAX, () => {
      if (!this.#isReady) this.#fail('ERR_SANDBOX_UNAVAILABLE', 'expected the sandbox to start in time')
    })
    using _wallLimit = clock.after(limits.wallMsMax, () => {
      this.#fail('ERR_CAPSULE_TIME_LIMIT', `the capsule ran longer than ${limits.wallMsMax} ms`)
    })
    this.#link.start(args, module)
    // Neither rejects, and neither is waited for: a keyboard may never answer, a sink may never take its bytes.
    void this.#stdin.run()
    void this.#readFrames()
    const outcome = await this.#decided.promise
    signal.removeEventListener('abort', stop)
    this.#ended.abort()
    this.#stdin.stop()
    await this.#supervisor.end()
    this.#log(outcome)
    return outcome
  }

  #log(outcome: CapsuleOutcome): void {
    const how = outcome.kind === 'exit' ? { exitCode: outcome.exitCode } : { code: outcome.error.code }
    this.#components.logger.info('capsule ended', {
      name: this.#init.name,
      ...how,
      outputBytes: this.#outputBytes
    })
  }

  /** Ends the capsule because its owner wants so. */
  stop(): void {
    this.#fail('ERR_CAPSULE_STOPPED', 'the capsule was stopped')
  }

  #fail(code: CapsuleError['code'], message: string, cause?: unknown): void {
    this.#decided.resolve({ kind: 'error', error: new CapsuleError(code, message, { cause }) })
  }

  async #readFrames(): Promise<void> {
    const decoder = new FrameDecoder()
    try {
      for await (const chunk of this.#process.stdout) {
        for (const frame of decoder.push(chunk)) {
          if (this.#ended.signal.aborted) return
          await this.#take(frame)
        }
      }
      await this.#endedSilently()
    } catch (thrown) {
      if (thrown instanceof CapsuleError) this.#decided.resolve({ kind: 'error', error: thrown })
      else
        this.#fail('ERR_CAPSULE_CRASHED', `the capsule's process broke off: ${errorMessage(thrown)}`, thrown)
    }
  }

  async #endedSilently(): Promise<void> {
    if (this.#ended.signal.aborted) return
    // Its pipe is closed, so it is ending; what it does beyond a moment is not waited for.
    const { clock } = this.#components
    using _deadline = clock.after(1000, () => void this.#supervisor.end())
    const end = await this.#process.ended
    await this.#supervisor.end()
    const error = silentEndError(
      { end, wasReady: this.#isReady, log: this.#supervisor.log },
      this.#init.limits
    )
    this.#decided.resolve({ kind: 'error', error })
  }

  async #take({ type, payload }: Frame): Promise<void> {
    await this.#count(payload.byteLength)
    if (type === FRAME.stdout) await this.#takeOutput(payload, this.#init.stdout)
    else if (type === FRAME.stderr) await this.#takeOutput(payload, this.#init.stderr)
    else if (type === FRAME.channelOut) await this.#takeChannel(payload)
    else if (type === FRAME.stdinWant) {
      this.#stdin.want(readNumberPayload(payload) ?? 0, STDIN_WINDOW_BYTES)
    } else if (type === FRAME.ready) this.#isReady = true
    else if (type === FRAME.exit) this.#takeExit(payload)
    else if (type === FRAME.failed) {
      this.#decided.resolve({ kind: 'error', error: failureError(readFailure(payload), this.#init.limits) })
    }
  }

  #takeExit(payload: Uint8Array): void {
    const exitCode = readNumberPayload(payload)
    if (exitCode === undefined) throw new Error('expected an exit code of four bytes')
    this.#decided.resolve({ kind: 'exit', exitCode })
  }

  async #takeOutput(payload: Uint8Array, sink: CapsuleSink): Promise<void> {
    try {
      // The payload is a view of a buffer that is used again.
      await sink.write(payload.slice())
    } catch (cause) {
      throw new CapsuleError(
        'ERR_CAPSULE_OUTPUT_CLOSED',
        `nobody takes the capsule's output: ${errorMessage(cause)}`,
        { cause }
      )
    }
  }

  async #takeChannel(payload: Uint8Array): Promise<void> {
    const { bytes, messageCount } = this.#channel.push(payload)
    // Not awaited on the pipe: a capsule that writes and never reads would hold us as it holds itself.
    if (this.#process.waitingBytes + bytes.byteLength > CHANNEL_REPLY_BYTES_MAX) {
      throw new CapsuleError('ERR_CAPSULE_CHANNEL', 'the capsule left too many answers unread on its channel')
    }
    this.#link.send(FRAME.channelIn, bytes)
    await this.#messageRate.take(messageCount, this.#ended.signal)
  }

  /** Counts a frame, whatever its type: a process that broke out of its engine may send any. */
  async #count(bytes: number): Promise<void> {
    const { outputBytesMax } = this.#init.limits
    this.#outputBytes += bytes
    if (this.#outputBytes > outputBytesMax) {
      throw new CapsuleError(
        'ERR_CAPSULE_OUTPUT_LIMIT',
        `the capsule wrote more than ${outputBytesMax} bytes`
      )
    }
    await this.#frameRate.take(1, this.#ended.signal)
    await this.#outputRate.take(bytes, this.#ended.signal)
  }
}

/** What a process says of its program's failure; a process that speaks nonsense has trapped. */
function readFailure(payload: Uint8Array): FailureMessage {
  try {
    const { kind, message, memoryBytes, memoryBytesAtStart } = JSON.parse(
      new TextDecoder().decode(payload)
    ) as Record<string, unknown>
    return {
      kind: kind === 'module' || kind === 'channel' ? kind : 'trap',
      message: typeof message === 'string' ? message : '',
      memoryBytes: typeof memoryBytes === 'number' ? memoryBytes : 0,
      memoryBytesAtStart: typeof memoryBytesAtStart === 'number' ? memoryBytesAtStart : 0
    }
  } catch {
    return { kind: 'trap', message: 'unknown', memoryBytes: 0, memoryBytesAtStart: 0 }
  }
}
