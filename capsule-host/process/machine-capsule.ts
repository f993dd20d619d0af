import { errorCode, errorDetail, errorMessage } from '#contracts'
import { CapsuleError, type CapsuleErrorCode } from '../errors.ts'
import {
  encodeFrame,
  encodeNumberFrame,
  FRAME,
  FRAME_PAYLOAD_BYTES_MAX,
  FrameDecoder,
  type Frame,
  type FrameType
} from '../guest/frames.ts'
import { STDIN_WINDOW_BYTES } from '../guest/wasi/constants.ts'
import type { SpawnEnd } from '../powers.ts'
import { CapsuleRun, type CapsuleProcess } from './capsule-run.ts'
import type { GuestProcess } from './guest-process.ts'
import type { CapsuleProcessComponents, CapsuleProcessInit } from './init.ts'

/** A stream of bytes to and from a program, with back-pressure both ways. */
export interface MachineStream {
  /** To be read once. Reading is what lets the program write more. */
  readonly incoming: AsyncIterable<Uint8Array>
  /** Resolves when the program's side had room for all of it; rejects when it takes no more. */
  write(bytes: Uint8Array): Promise<void>
  end(): void
}

/** A machine of its own that runs a capsule's program, whatever holds it. Disposing it ends it. */
export interface CapsuleMachine extends AsyncDisposable {
  readonly pid: number | undefined
  readonly stdin: Pick<MachineStream, 'write' | 'end'>
  readonly stdout: Pick<MachineStream, 'incoming'>
  readonly stderr: Pick<MachineStream, 'incoming'>
  /** The program's descriptor 3. */
  readonly channel: Pick<MachineStream, 'incoming' | 'write'>
  /** Resolves when nothing of it is left; never rejects. */
  readonly finished: Promise<
    | {
        readonly kind: 'exit'
        readonly exit:
          | { readonly kind: 'code'; readonly code: number }
          | { readonly kind: 'signal'; readonly signal: number }
      }
    | { readonly kind: 'error'; readonly error: Error }
  >
}

/** One run of a capsule in a machine. Its program was given to the machine; it has no files and is not recorded. */
export type MachineCapsuleInit = Omit<CapsuleProcessInit, 'module' | 'args' | 'files' | 'trace' | 'isOwn'>

/** Exit codes of a program that a signal ended, as a shell tells them. */
const SIGNAL_EXIT_CODE = 128
/** What a run calls the ends of machines that are no fault of the program. */
const CODES: ReadonlyMap<string, CapsuleErrorCode> = new Map([
  ['ERR_VM_START', 'ERR_SANDBOX_UNAVAILABLE'],
  ['ERR_VM_TIME_LIMIT', 'ERR_CAPSULE_TIME_LIMIT']
])
const NOTHING = new Uint8Array(0)

/**
 * Runs a capsule whose program is in `machine`: with the same streams, channel, limits and outcomes as one in a process. What the
 * machine may use of this one (memory, processor time, disks) it was started with.
 */
export function startMachineCapsule(
  components: Omit<CapsuleProcessComponents, 'sandbox'>,
  init: MachineCapsuleInit,
  machine: CapsuleMachine
): CapsuleProcess {
  // The machine is a sandbox of its own; what a run asks of one it asks of its guest.
  const sandboxed: CapsuleProcessComponents = { ...components, sandbox: NO_SANDBOX }
  const guest = createMachineGuest(machine)
  return new CapsuleRun(sandboxed, { ...init, module: NOTHING }, guest).start([init.name], NOTHING)
}

/** What a run is told of the sandbox where a machine is one. */
export const NO_SANDBOX: CapsuleProcessComponents['sandbox'] = {
  level: 'process',
  checks: [],
  process: { node: '', prlimit: undefined, guest: { source: '', target: '', entry: '' } }
}

/** A machine as a run sees the process of a capsule: frames in, frames out. */
function createMachineGuest(machine: CapsuleMachine): GuestProcess {
  const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>()
  const frames = writable.getWriter()
  const decoder = new FrameDecoder()
  let waitingBytes = 0
  const say = (frame: Uint8Array): Promise<void> => frames.write(frame).catch(() => undefined)
  const hear = ({ type, payload }: Frame): void => {
    // A program that takes no more is its own loss, as with a pipe.
    if (type === FRAME.stdin) {
      const length = payload.byteLength
      void machine.stdin.write(payload).then(
        () => say(encodeNumberFrame(FRAME.stdinWant, length)),
        () => undefined
      )
    } else if (type === FRAME.stdinEnd) machine.stdin.end()
    else if (type === FRAME.channelIn) {
      waitingBytes += payload.byteLength
      const written = (): void => {
        waitingBytes -= payload.byteLength
      }
      void machine.channel.write(payload).then(written, written)
    }
  }
  const end = async (): Promise<SpawnEnd> => {
    await machine[Symbol.asyncDispose]()
    return { code: null, signal: null }
  }
  void pumpMachine(machine, frames, say)
  return {
    process: {
      pid: machine.pid,
      get waitingBytes() {
        return waitingBytes
      },
      write: (bytes) => decoder.push(bytes).forEach(hear),
      ended: machine.finished.then(() => ({ code: null, signal: null }))
    },
    output: readable,
    // The kernel counts the processor time of a machine: there is no process whose own it would be.
    supervisor: { log: '', pid: Promise.resolve(undefined), end }
  }
}

/** Moves what the program writes, then says how it ended; each frame waits until the one before it was taken. */
async function pumpMachine(
  machine: CapsuleMachine,
  frames: WritableStreamDefaultWriter<Uint8Array>,
  say: (frame: Uint8Array) => Promise<void>
): Promise<void> {
  const pump = async (type: FrameType, { incoming }: Pick<MachineStream, 'incoming'>): Promise<void> => {
    for await (const bytes of incoming) {
      for (let offset = 0; offset < bytes.byteLength; offset += FRAME_PAYLOAD_BYTES_MAX) {
        await say(encodeFrame(type, bytes.subarray(offset, offset + FRAME_PAYLOAD_BYTES_MAX)))
      }
    }
  }
  void say(encodeFrame(FRAME.ready, NOTHING))
  void say(encodeNumberFrame(FRAME.stdinWant, STDIN_WINDOW_BYTES))
  const pumped = Promise.all([
    pump(FRAME.stdout, machine.stdout),
    pump(FRAME.stderr, machine.stderr),
    pump(FRAME.channelOut, machine.channel)
  ])
  try {
    const outcome = await machine.finished
    await pumped
    if (outcome.kind === 'error') throw outcome.error
    const { exit } = outcome
    const code = exit.kind === 'code' ? exit.code : SIGNAL_EXIT_CODE + exit.signal
    await say(encodeNumberFrame(FRAME.exit, code))
    await frames.close()
  } catch (cause) {
    await frames.abort(machineError(cause)).catch(() => undefined)
  }
}

/** What a run calls the end of a machine that did not say how its program ended. */
export function machineError(cause: unknown): CapsuleError {
  const message = `the capsule's machine ended: ${errorMessage(cause)}`
  const code = CODES.get(errorCode(cause) ?? '') ?? 'ERR_CAPSULE_CRASHED'
  return new CapsuleError(code, message, { cause, detail: errorDetail(cause) })
}
