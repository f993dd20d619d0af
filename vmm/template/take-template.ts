import type { Clock } from '#contracts'
import { VM_FRAME, type VmFrame } from '../channel/frames.ts'
import { decodeHello } from '../channel/messages.ts'
import {
  VM_CHANNEL_VERSION,
  VM_START_MS_MAX,
  VM_TEMPLATE_CPU_SECONDS,
  VM_TEMPLATE_STATE_BYTES_MAX
} from '../constants.ts'
import { VmmError } from '../errors.ts'
import { JAILED } from '../jail/jail.ts'
import { startMonitor, type Monitor, type MonitorInit } from '../machine/monitor.ts'
import type { VmmPowers } from '../powers.ts'
import type { StateSocket } from './powers.ts'

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

/**
 * Starts a machine until its guest waits for its start message, and stops it there for good. Nothing was told to it that could be
 * in a template: no seed, no program, no disk.
 *
 * @returns the rest of its state
 * @throws VmmError `ERR_VM_START`; the reason of `signal`
 */
export async function takeTemplate(
  components: TemplateMachineComponents,
  shape: MachineShape,
  { memory, state, signal }: TemplateTarget
): Promise<Uint8Array> {
  signal.throwIfAborted()
  const limits = { ...shape.limits, cpuSecondsMax: VM_TEMPLATE_CPU_SECONDS }
  const template = { memory, state: state.path }
  const monitor = startMonitor(components, { ...shape, limits, disks: [], template })
  const stop = (): void => void monitor.end()
  signal.addEventListener('abort', stop, { once: true })
  try {
    const { control } = monitor
    if (control === undefined) throw refusal('a monitor that can be told', monitor)
    await meetGuest(components, monitor)
    await control.execute('stop')
    const [bytes] = await Promise.all([
      collect(state.incoming),
      control.move('migrate', `unix:${JAILED.state}`)
    ])
    return bytes
  } catch (thrown) {
    signal.throwIfAborted()
    throw thrown
  } finally {
    signal.removeEventListener('abort', stop)
    await monitor.end()
  }
}

/** Waits for the first word of the guest. */
async function meetGuest({ clock }: TemplateMachineComponents, monitor: Monitor): Promise<void> {
  const met = Promise.withResolvers<void>()
  const take = ({ type, payload }: VmFrame): void => {
    if (type !== VM_FRAME.hello || !decodeHello(payload).includes(VM_CHANNEL_VERSION)) {
      throw new VmmError('ERR_VM_CHANNEL', `expected a guest that speaks version ${VM_CHANNEL_VERSION}`)
    }
    met.resolve()
  }
  monitor.listen({ take, fail: (error) => met.reject(error) })
  void monitor.ended.then(() => met.reject(refusal('the guest to say that it is up', monitor)))
  using _limit = clock.after(VM_START_MS_MAX, () => met.reject(refusal('the guest in time', monitor)))
  await met.promise
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
