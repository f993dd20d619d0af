import { PROCESS_LOG_BYTES_MAX } from '../constants.ts'
import type { SpawnEnd } from '../powers.ts'
import { checkedModule } from './capsule-process.ts'
import { CapsuleRun, type CapsuleProcess } from './capsule-run.ts'
import type { GuestProcess } from './guest-process.ts'
import type { CapsuleProcessComponents, CapsuleProcessInit } from './init.ts'
import { machineError, NO_SANDBOX, type CapsuleMachine } from './machine-capsule.ts'
import { keepTail } from './supervisor.ts'

/** How long a machine and the guest script in it may take to be up: an emulated one beside a busy host needs most of it. */
const MACHINE_START_MS_MAX = 180_000
/** The names of signals that say what became of a process. */
const SIGNALS: ReadonlyMap<number, string> = new Map([
  [6, 'SIGABRT'],
  [9, 'SIGKILL'],
  [11, 'SIGSEGV'],
  [24, 'SIGXCPU']
])

/**
 * Runs a capsule's module in `machine`, whose program is the guest script of `findModuleRuntime`: what that is told and says are the
 * same frames as between this process and one in a sandbox, so that limits, files, channel, traces and outcomes are the same.
 *
 * @throws CapsuleError `ERR_CAPSULE_ARGUMENTS`, or why the module was not admitted; the machine is then its owner's to end
 */
export function startMachineModule(
  components: Omit<CapsuleProcessComponents, 'sandbox'>,
  init: Omit<CapsuleProcessInit, 'isOwn'>,
  machine: CapsuleMachine
): CapsuleProcess {
  const { args, module } = checkedModule(init)
  const guest = createMachineProcess(machine)
  return new CapsuleRun({ ...components, sandbox: NO_SANDBOX }, init, guest).start(args, module)
}

/** A machine as a run sees the process it is in: frames on the standard streams of its program. */
function createMachineProcess(machine: CapsuleMachine): GuestProcess {
  const log = keepTail(machine.stderr.incoming, PROCESS_LOG_BYTES_MAX)
  let waitingBytes = 0
  const write = (bytes: Uint8Array): void => {
    waitingBytes += bytes.byteLength
    const written = (): void => {
      waitingBytes -= bytes.byteLength
    }
    // A machine that takes no more is about to say how it ended.
    void machine.stdin.write(bytes).then(written, written)
  }
  const ended = machine.finished.then((outcome): SpawnEnd => {
    if (outcome.kind === 'error') return { code: null, signal: null, failure: outcome.error }
    const { exit } = outcome
    if (exit.kind === 'code') return { code: exit.code, signal: null }
    return { code: null, signal: SIGNALS.get(exit.signal) ?? `signal ${exit.signal}` }
  })
  void drop(machine.channel.incoming)
  return {
    startMsMax: MACHINE_START_MS_MAX,
    process: {
      pid: machine.pid,
      get waitingBytes() {
        return waitingBytes
      },
      write,
      ended
    },
    output: readFrames(machine),
    supervisor: {
      get log() {
        return log.text()
      },
      // The kernel counts the processor time of a machine: there is no process whose own it would be.
      pid: Promise.resolve(undefined),
      end: async () => {
        await machine[Symbol.asyncDispose]()
        await log.done
        return await ended
      }
    }
  }
}

/** What the script says; a machine that broke off says why in place of more. */
async function* readFrames(machine: CapsuleMachine): AsyncGenerator<Uint8Array> {
  yield* machine.stdout.incoming
  const outcome = await machine.finished
  if (outcome.kind === 'error') throw machineError(outcome.error)
}

/** The script closes its channel before a capsule is there: what still came of it is nobody's. */
async function drop(source: AsyncIterable<Uint8Array>): Promise<void> {
  for await (const _bytes of source) continue
}
