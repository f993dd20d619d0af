import type { Clock, Random } from '#contracts'
import { encodeVmFrame, VM_FRAME } from '../channel/frames.ts'
import { encodeStart } from '../channel/messages.ts'
import { VM_REHEARSAL_BYTES, VM_REHEARSAL_MS_MAX, VM_SEED_BYTES } from '../constants.ts'
import { erofsImage } from '../image/erofs.ts'
import type { ImageEntry } from '../image/entries.ts'
import type { Monitor } from '../machine/monitor.ts'
import { PROGRAM_USER } from '../machine/start-machine.ts'
import { meetGuest } from './meet-guest.ts'

/** What {@link rehearse} works with. */
export interface RehearsalComponents {
  readonly clock: Clock
  readonly random: Random
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
