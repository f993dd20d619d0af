import { errorMessage } from '#contracts'
import { CHANNEL_REPLY_BYTES_MAX, PROCESS_NICENESS, PROCESS_START_MS_MAX } from '../constants.ts'
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
import { createRefusingChannel, type CapsuleChannel } from './channel.ts'
import type { FileService } from './files.ts'
import { CpuWatch } from './cpu-watch.ts'
import { createGuestLink, type GuestLink } from './guest-link.ts'
import type { GuestProcess } from './guest-process.ts'
import type { CapsuleProcessComponents, CapsuleProcessInit, CapsuleSink } from './init.ts'
import { cpuLimitError, failureError, silentEndError, type CapsuleOutcome } from './outcome.ts'
import { StdinPump } from './stdin-pump.ts'
import { TraceIntake } from './trace-intake.ts'
import { Traffic, type TrafficFrame } from './traffic.ts'

/** A capsule that runs. Disposing it ends it. */
export interface CapsuleProcess extends AsyncDisposable {
  /** Its outermost process. */
  readonly pid: number | undefined
  /** Resolves when the capsule has ended and nothing of it is left; never rejects. */
  readonly finished: Promise<CapsuleOutcome>
}

/** One run of one capsule over the frames of its process, from the module handed over to nothing left. */
export class CapsuleRun {
  readonly #components: CapsuleProcessComponents
  readonly #init: CapsuleProcessInit
  readonly #guest: GuestProcess
  readonly #link: GuestLink
  readonly #stdin: StdinPump
  #channel: CapsuleChannel | undefined
  #files: FileService | undefined
  readonly #traffic: Traffic
  readonly #ended = new AbortController()
  readonly #decided: PromiseWithResolvers<CapsuleOutcome> = Promise.withResolvers()
  readonly #trace: TraceIntake | undefined
  #isReady = false

  constructor(components: CapsuleProcessComponents, init: CapsuleProcessInit, guest: GuestProcess) {
    this.#components = components
    this.#init = init
    this.#guest = guest
    this.#link = createGuestLink(guest.process)
    this.#stdin = new StdinPump(init.stdin, {
      send: (bytes) => this.#link.send(FRAME.stdin, bytes),
      end: () => this.#link.signal(FRAME.stdinEnd)
    })
    const { trace } = init
    if (trace?.kind === 'record') {
      const onFailure = (thrown: unknown): void =>
        this.#fail('ERR_CAPSULE_CRASHED', `the trace was not written: ${errorMessage(thrown)}`, thrown)
      this.#trace = new TraceIntake({ trace, onFailure })
    }
    this.#traffic = new Traffic({ clock: components.clock, shared: components.pool?.output }, init.limits)
  }

  /** Begins it. To be called once. */
  start(args: readonly string[], module: Uint8Array): CapsuleProcess {
    const finished = this.#run(args, module)
    return {
      pid: this.#guest.process.pid,
      finished,
      [Symbol.asyncDispose]: async () => {
        this.#stop()
        await finished
      }
    }
  }

  async #run(args: readonly string[], module: Uint8Array): Promise<CapsuleOutcome> {
    const { clock } = this.#components
    const { signal, limits } = this.#init
    const stop = (): void => this.#stop()
    signal.addEventListener('abort', stop, { once: true })
    if (signal.aborted) stop()
    using _startLimit = clock.after(this.#guest.startMsMax ?? PROCESS_START_MS_MAX, () => {
      if (!this.#isReady) this.#fail('ERR_SANDBOX_UNAVAILABLE', 'expected the sandbox to start in time')
    })
    using _wallLimit = clock.after(limits.wallMsMax, () => {
      this.#fail('ERR_CAPSULE_TIME_LIMIT', `the capsule ran longer than ${limits.wallMsMax} ms`)
    })
    using _cpuLimit = new CpuWatch(this.#components, {
      pid: this.#guest.supervisor.pid,
      cpuMsMax: limits.cpuSecondsMax * 1000,
      onUsedUp: () => this.#decided.resolve({ kind: 'error', error: cpuLimitError(limits) })
    })
    this.#begin(args, module)
    const outcome = await this.#decided.promise
    signal.removeEventListener('abort', stop)
    this.#ended.abort()
    this.#stdin.stop()
    await this.#guest.supervisor.end()
    await this.#close()
    this.#log(outcome)
    return outcome
  }

  #begin(args: readonly string[], module: Uint8Array): void {
    try {
      this.#channel = this.#openChannel()
      this.#files = this.#openFiles()
    } catch (thrown) {
      this.#fail('ERR_CAPSULE_CRASHED', `the capsule's runtime broke off: ${errorMessage(thrown)}`, thrown)
      return
    }
    const { trace } = this.#init
    this.#link.start({ args, module, hasFiles: this.#files !== undefined, trace })
    // Neither rejects, and neither is waited for: a keyboard may never answer, a sink may never take its bytes.
    void this.#stdin.run()
    void this.#readFrames()
  }

  async #close(): Promise<void> {
    try {
      this.#channel?.close()
      await this.#files?.close()
    } catch (thrown) {
      this.#components.logger.warn('a capsule was not closed', { error: errorMessage(thrown) })
    }
  }

  #log(outcome: CapsuleOutcome): void {
    const how = outcome.kind === 'exit' ? { exitCode: outcome.exitCode } : { code: outcome.error.code }
    this.#components.logger.info('capsule ended', {
      name: this.#init.name,
      ...how,
      outputBytes: this.#traffic.outputBytes
    })
  }

  /** Ends the capsule because its owner wants so. */
  #stop(): void {
    this.#fail('ERR_CAPSULE_STOPPED', 'the capsule was stopped')
  }

  #fail(code: CapsuleError['code'], message: string, cause?: unknown): void {
    this.#decided.resolve({ kind: 'error', error: new CapsuleError(code, message, { cause }) })
  }

  async #readFrames(): Promise<void> {
    const decoder = new FrameDecoder()
    try {
      for await (const chunk of this.#guest.output) {
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
    using _deadline = clock.after(1000, () => void this.#guest.supervisor.end())
    const end = await this.#guest.process.ended
    await this.#guest.supervisor.end()
    const error = silentEndError(
      { end, wasReady: this.#isReady, log: this.#guest.supervisor.log },
      this.#init.limits
    )
    this.#decided.resolve({ kind: 'error', error })
  }

  async #take({ type, payload }: Frame): Promise<void> {
    await this.#traffic.takeFrame({ bytes: payload.byteLength, kind: kindOf(type) }, this.#ended.signal)
    if (type === FRAME.stdout) await this.#takeOutput(payload, this.#init.stdout)
    else if (type === FRAME.stderr) await this.#takeOutput(payload, this.#init.stderr)
    else if (type === FRAME.channelOut) await this.#takeChannel(payload)
    else if (type === FRAME.fileCall) await this.#takeFileCall(payload)
    else if (type === FRAME.traceOut) await this.#takeTrace(payload)
    else if (type === FRAME.stdinWant) {
      this.#stdin.want(readNumberPayload(payload) ?? 0, STDIN_WINDOW_BYTES)
    } else if (type === FRAME.ready) void this.#takeReady()
    else if (type === FRAME.exit) this.#takeExit(payload)
    else if (type === FRAME.failed) {
      this.#decided.resolve({ kind: 'error', error: failureError(readFailure(payload), this.#init.limits) })
    }
  }

  async #takeReady(): Promise<void> {
    if (this.#isReady) return
    this.#isReady = true
    // Not before now: bubblewrap gives the process a session of its own on its way up.
    const pid = await this.#guest.supervisor.pid
    if (pid !== undefined) await this.#components.powers.yieldSession(pid, PROCESS_NICENESS)
  }

  #takeExit(payload: Uint8Array): void {
    const exitCode = readNumberPayload(payload)
    if (exitCode === undefined) throw new Error('expected an exit code of four bytes')
    this.#decided.resolve({ kind: 'exit', exitCode })
  }

  async #takeOutput(payload: Uint8Array, sink: CapsuleSink): Promise<void> {
    try {
      await sink.write(payload)
    } catch (cause) {
      throw new CapsuleError(
        'ERR_CAPSULE_OUTPUT_CLOSED',
        `nobody takes the capsule's output: ${errorMessage(cause)}`,
        { cause }
      )
    }
  }

  async #takeChannel(payload: Uint8Array): Promise<void> {
    const messageCount = this.#channel?.push(payload) ?? 0
    await this.#traffic.takeCalls(messageCount, this.#ended.signal)
  }

  async #takeFileCall(payload: Uint8Array): Promise<void> {
    // A process that was told of no files and asks anyway is no longer what was started.
    if (this.#files === undefined) throw new Error('expected no call on files')
    await this.#files.push(payload)
    if (this.#trace?.isFull === true) await this.#trace.room()
  }

  async #takeTrace(payload: Uint8Array): Promise<void> {
    if (this.#trace === undefined) throw new Error('expected no trace')
    await this.#trace.take(payload)
  }

  #openChannel(): CapsuleChannel {
    const { process } = this.#guest
    return (this.#init.channel ?? createRefusingChannel)({
      send: (lines) => {
        if (this.#ended.signal.aborted) return
        // Not awaited on the pipe: a capsule that writes and never reads would hold us as it holds itself.
        if (process.waitingBytes + lines.byteLength > CHANNEL_REPLY_BYTES_MAX) {
          this.#fail('ERR_CAPSULE_CHANNEL', 'the capsule left too many answers unread on its channel')
        } else this.#link.send(FRAME.channelIn, lines)
      },
      get waitingBytes() {
        return process.waitingBytes
      },
      fail: (error) => this.#decided.resolve({ kind: 'error', error })
    })
  }

  #openFiles(): FileService | undefined {
    return this.#init.files?.({
      send: (answer) => {
        if (answer.byteLength > FRAME_PAYLOAD_BYTES_MAX)
          throw new RangeError('expected an answer of one frame')
        if (this.#ended.signal.aborted) return
        const sent = this.#link.sendFrame(FRAME.fileAnswer, answer)
        // Behind it, so that nobody waits for the trace; what the capsule says of it comes later in any case.
        this.#trace?.answer(sent)
      },
      fail: (error) => this.#decided.resolve({ kind: 'error', error })
    })
  }
}

function kindOf(type: number): TrafficFrame['kind'] {
  if (type === FRAME.channelOut) return 'call'
  if (type === FRAME.fileCall) return 'file'
  return type === FRAME.traceOut ? 'trace' : 'output'
}

const FAILURE_KINDS: readonly FailureMessage['kind'][] = ['module', 'channel', 'replay', 'traceEnd']

/** What a process says of its program's failure; a process that speaks nonsense has trapped. */
function readFailure(payload: Uint8Array): FailureMessage {
  try {
    const { kind, message, memoryBytes, memoryBytesAtStart } = JSON.parse(
      new TextDecoder().decode(payload)
    ) as Record<string, unknown>
    return {
      kind: FAILURE_KINDS.find((known) => known === kind) ?? 'trap',
      message: typeof message === 'string' ? message : '',
      memoryBytes: typeof memoryBytes === 'number' ? memoryBytes : 0,
      memoryBytesAtStart: typeof memoryBytesAtStart === 'number' ? memoryBytesAtStart : 0
    }
  } catch {
    return { kind: 'trap', message: 'unknown', memoryBytes: 0, memoryBytesAtStart: 0 }
  }
}
