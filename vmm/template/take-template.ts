import type { Clock } from '#contracts'
import { VM_TEMPLATE_CPU_SECONDS, VM_TEMPLATE_STATE_BYTES_MAX } from '../constants.ts'
import { VmmError } from '../errors.ts'
import { JAILED } from '../jail/jail.ts'
import { startMonitor, type Monitor, type MonitorInit } from '../machine/monitor.ts'
import type { VmmPowers } from '../powers.ts'
import type { StateSocket } from './powers.ts'
import { meetGuest, type GuestGreeting } from './meet-guest.ts'

/** What machines that have to do with templates are started with. */
export interface TemplateMachineComponents {
  readonly powers: Pick<VmmPowers, 'spawnMonitor' | 'killProcess'>
  readonly clock: Clock
}

/** A machine of which a template is taken, without its disks. */
export type MachineShape = Omit<MonitorInit, 'disks' | 'template'>

/** Where a template goes. */
export interface TemplateTarget {
  /** The file that becomes its memory. */
  readonly memory: string
  /** Where the rest of its state comes out. */
  readonly state: StateSocket
  readonly signal: AbortSignal
}

/** What {@link takeTemplate} made, beside the file of its memory. */
export interface TakenTemplate extends GuestGreeting {
  /** The rest of its state. */
  readonly state: Uint8Array
}

/**
 * Starts a machine until its guest waits for its start message, and stops it there for good. Nothing was told to it that could be
 * in a template: no seed, no program, no disk.
 *
 * @throws VmmError `ERR_VM_START`; the reason of `signal`
 */
export async function takeTemplate(
  components: TemplateMachineComponents,
  shape: MachineShape,
  { memory, state, signal }: TemplateTarget
): Promise<TakenTemplate> {
  signal.throwIfAborted()
  const limits = { ...shape.limits, cpuSecondsMax: VM_TEMPLATE_CPU_SECONDS }
  const template = { memory, state: state.path }
  const monitor = startMonitor(components, { ...shape, limits, disks: [], template })
  const stop = (): void => void monitor.end()
  signal.addEventListener('abort', stop, { once: true })
  try {
    const { control } = monitor
    if (control === undefined) throw refusal('a monitor that can be told', monitor)
    const { canRehearse } = await meetGuest(components.clock, monitor)
    await control.execute('stop')
    const [bytes] = await Promise.all([
      collect(state.incoming),
      control.move('migrate', `unix:${JAILED.state}`)
    ])
    return { state: bytes, canRehearse }
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
