import type { Clock } from '#contracts'
import { encodeVmFrame, VM_FRAME } from '../channel/frames.ts'
import { VM_TEMPLATE_CPU_SECONDS, VM_TEMPLATE_STATE_BYTES_MAX } from '../constants.ts'
import { VmmError } from '../errors.ts'
import { JAILED } from '../jail/jail.ts'
import { startMonitor, type Monitor, type MonitorInit } from '../machine/monitor.ts'
import { PROGRAM_USER } from '../machine/start-machine.ts'
import type { VmmPowers } from '../powers.ts'
import { givenDisk, type GivenDisk } from './given-disk.ts'
import type { StateSocket } from './powers.ts'
import { meetGuest, type GuestGreeting } from './meet-guest.ts'

/** What machines that have to do with templates are started with. */
export interface TemplateMachineComponents {
  readonly powers: Pick<VmmPowers, 'spawnMonitor' | 'killProcess'>
  readonly clock: Clock
}

/** A machine of which a template is taken, without its disks. */
export type MachineShape = Omit<MonitorInit, 'disks' | 'template'>

/** An image that is mounted in a template, which is then one of this image alone. */
export interface TemplateImage {
  /** SHA-256 of all that is in it, in hexadecimal digits. */
  readonly hash: string
  /** The folder from which it is given. */
  readonly handover: string
  give(disk: GivenDisk): Promise<void>
}

/** Where a template goes. */
export interface TemplateTarget {
  /** The file that becomes its memory. */
  readonly memory: string
  /** Where the rest of its state comes out. */
  readonly state: StateSocket
  /** What its guest has mounted and read of; nothing when absent. */
  readonly image?: TemplateImage | undefined
  readonly signal: AbortSignal
}

/** What {@link takeTemplate} made, beside the file of its memory. */
export interface TakenTemplate extends GuestGreeting {
  /** The rest of its state. */
  readonly state: Uint8Array
}

/**
 * Starts a machine until its guest waits for its start message, and stops it there for good. Nothing was told to it that could be
 * in a template: no seed, no program, and no disk but that of the image whose template it is.
 *
 * @throws VmmError `ERR_VM_START`; the reason of `signal`
 */
export async function takeTemplate(
  components: TemplateMachineComponents,
  shape: MachineShape,
  { memory, state, image, signal }: TemplateTarget
): Promise<TakenTemplate> {
  signal.throwIfAborted()
  const limits = { ...shape.limits, cpuSecondsMax: VM_TEMPLATE_CPU_SECONDS }
  const handover = image === undefined ? {} : { handover: image.handover }
  const template = { memory, state: state.path, ...handover }
  const monitor = startMonitor(components, { ...shape, limits, disks: [], template })
  const stop = (): void => void monitor.end()
  signal.addEventListener('abort', stop, { once: true })
  try {
    const { control } = monitor
    if (control === undefined) throw refusal('a monitor that can be told', monitor)
    let greeting = await meetGuest(components.clock, monitor)
    if (image !== undefined) {
      await image.give(givenDisk(control))
      const met = meetGuest(components.clock, monitor)
      monitor.send(encodeVmFrame(VM_FRAME.mount, 0, encodeUser(PROGRAM_USER)))
      greeting = await met
    }
    await control.execute('stop')
    const [bytes] = await Promise.all([
      collect(state.incoming),
      control.move('migrate', `unix:${JAILED.state}`)
    ])
    return { state: bytes, ...greeting }
  } catch (thrown) {
    signal.throwIfAborted()
    throw thrown
  } finally {
    signal.removeEventListener('abort', stop)
    await monitor.end()
  }
}

async function collect(state: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const parts: Uint8Array[] = []
  let bytes = 0
  for await (const part of state) {
    bytes += part.byteLength
    if (bytes > VM_TEMPLATE_STATE_BYTES_MAX) {
      throw new VmmError('ERR_VM_START', `expected a state of at most ${VM_TEMPLATE_STATE_BYTES_MAX} bytes`)
    }
    parts.push(part)
  }
  return Buffer.concat(parts)
}

function refusal(expected: string, monitor: Monitor): VmmError {
  return new VmmError('ERR_VM_START', `expected ${expected}`, { detail: monitor.log() })
}

function encodeUser(user: number): Uint8Array {
  const payload = Buffer.alloc(4)
  payload.writeUInt32LE(user)
  return payload
}
