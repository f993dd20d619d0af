import type { Clock, Random } from '#contracts'
import { encodeVmFrame, VM_FRAME, type VmFrame } from '../channel/frames.ts'
import { decodeFailed, decodeHello, encodeStart } from '../channel/messages.ts'
import {
  VM_CHANNEL_REHEARSING_VERSION,
  VM_CHANNEL_VERSION,
  VM_REHEARSAL_BYTES,
  VM_REHEARSAL_MS_MAX,
  VM_SEED_BYTES,
  VM_START_MS_MAX
} from '../constants.ts'
import { VmmError } from '../errors.ts'
import { erofsImage } from '../image/erofs.ts'
import type { ImageEntry } from '../image/entries.ts'
import type { Monitor } from '../machine/monitor.ts'
import { PROGRAM_USER } from '../machine/start-machine.ts'

/** What {@link rehearse} works with. */
export interface RehearsalComponents {
  readonly clock: Clock
  readonly random: Random
}

/** What a guest said of itself. */
export interface GuestGreeting {
  /** Whether it takes a start message that is not its last. */
  readonly canRehearse: boolean
}

/** Starts of a rehearsal: programs have pipes, or a terminal. */
const STAGES = [{}, { terminal: { columns: 80, rows: 24 } }]
/** The guest's own first process, which then does what programs do when they start. */
const PROGRAM = '/proc/self/exe'

/** The disk of a rehearsal: a file to read, and where a guest puts what every program finds. */
export async function rehearsalImage(): Promise<Uint8Array> {
  const folders = ['dev', 'proc', 'tmp'].map((path): ImageEntry => ({ kind: 'folder', path }))
  const content = (): Uint8Array[] => [new Uint8Array(VM_REHEARSAL_BYTES).fill(1)]
  const file = { kind: 'file', path: 'rehearsal', bytes: VM_REHEARSAL_BYTES, isExecutable: true } as const
  return Buffer.concat(await Array.fromAsync(erofsImage([...folders, { ...file, content }])))
}

/**
 * Lets a guest that waits for its start message start a program of its own, whose disk it has, and waits until it waits again. It
 * takes another seed before it runs another program.
 *
 * @throws VmmError `ERR_VM_START`, `ERR_VM_CHANNEL`, `ERR_VM_PROGRAM`
 */
export async function rehearse({ clock, random }: RehearsalComponents, monitor: Monitor): Promise<void> {
  for (const terminal of STAGES) {
    const program = { args: [PROGRAM, 'rehearse'], ...terminal }
    const start = { program, userId: PROGRAM_USER, isRehearsal: true }
    const met = meetGuest(clock, monitor, VM_REHEARSAL_MS_MAX)
    const seed = random.bytes(VM_SEED_BYTES)
    monitor.send(encodeVmFrame(VM_FRAME.start, 0, encodeStart({ ...start, seed, nowMs: clock.nowMs() })))
    await met
  }
}

/**
 * Waits until a guest says that it waits for its start message. One that says anything else, then or before somebody else listens,
 * is ended.
 *
 * @throws VmmError `ERR_VM_START`, `ERR_VM_CHANNEL`, `ERR_VM_PROGRAM`
 */
export async function meetGuest(
  clock: Clock,
  monitor: Monitor,
  durationMs: number = VM_START_MS_MAX
): Promise<GuestGreeting> {
  const met = Promise.withResolvers<GuestGreeting>()
  const take = ({ type, payload }: VmFrame): void => {
    if (type === VM_FRAME.failed) throw decodeFailed(payload)
    const versions = type === VM_FRAME.hello ? decodeHello(payload) : []
    if (!versions.includes(VM_CHANNEL_VERSION)) {
      throw new VmmError('ERR_VM_CHANNEL', `expected a guest that speaks version ${VM_CHANNEL_VERSION}`)
    }
    met.resolve({ canRehearse: versions.includes(VM_CHANNEL_REHEARSING_VERSION) })
  }
  const fail = (error: VmmError): void => {
    met.reject(error)
    void monitor.end()
  }
  monitor.listen({ take, fail })
  void monitor.ended.then(() => met.reject(refusal('the guest to say that it is up', monitor)))
  using _limit = clock.after(durationMs, () => met.reject(refusal('the guest in time', monitor)))
  return await met.promise
}

function refusal(expected: string, monitor: Monitor): VmmError {
  return new VmmError('ERR_VM_START', `expected ${expected}`, { detail: monitor.log() })
}
