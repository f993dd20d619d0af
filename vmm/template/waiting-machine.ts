import { VmmError } from '../errors.ts'
import { JAIL_DESCRIPTOR } from '../jail/jail.ts'
import { startMonitor, type Monitor } from '../machine/monitor.ts'
import { givenDisk, type GivenDisk } from './given-disk.ts'
import { rehearse, type RehearsalComponents } from './rehearsal.ts'
import type { MachineShape, TemplateMachineComponents } from './take-template.ts'

/** A machine that stands still where its template was taken. */
export interface WaitingMachine {
  readonly monitor: Monitor
  /** Given to it before it goes on. */
  readonly disk: GivenDisk
  /** Whether its guest can rehearse the start of a program. */
  readonly canRehearse: boolean
  /** Whether its monitor had been started before it was asked for. */
  readonly wasSpare: boolean
  /**
   * Lets it start a program of its own from the disk that it has, and takes that disk away; it stands still again then, and what its
   * next program needs was done once.
   *
   * @throws VmmError
   */
  rehearse(): Promise<void>
  /**
   * Lets it go on: its guest then waits for its start message.
   *
   * @throws VmmError `ERR_VM_START`
   */
  goOn(): Promise<void>
}

/** Where a monitor finds its template. */
export interface TemplateMonitorInit {
  /** The file with the memory of the template. */
  readonly memory: string
  /** The rest of the template's state, a descriptor of this process that is open until this returned. */
  readonly state: number
  /** The folder from which its machine will be given its disk. */
  readonly handover: string
}

/** A monitor in which a template is to be restored. */
export interface RestoreInit {
  readonly monitor: Monitor
  /** Whether its guest can rehearse the start of a program. */
  readonly canRehearse: boolean
  /** Whether it waited for this. */
  readonly wasSpare: boolean
}

/** Starts a monitor where a template can be restored. Nothing of that is in its machine yet. */
export function startTemplateMonitor(
  components: TemplateMachineComponents,
  shape: MachineShape,
  template: TemplateMonitorInit
): Monitor {
  return startMonitor(components, { ...shape, disks: [], template })
}

/**
 * Restores a template in the monitor that was started on it. The machine shares the memory of the template until it writes there.
 *
 * @throws VmmError `ERR_VM_START` for a template that does not fit or is not whole; its monitor has ended then
 */
export async function restoreMachine(
  components: TemplateMachineComponents & RehearsalComponents,
  { monitor, canRehearse, wasSpare }: RestoreInit
): Promise<WaitingMachine> {
  try {
    const { control } = monitor
    if (control === undefined) throw new VmmError('ERR_VM_START', 'expected a monitor that can be told')
    await control.move('migrate-incoming', `fd:${JAIL_DESCRIPTOR.state}`)
    const disk = givenDisk(control)
    return {
      ...{ monitor, disk, canRehearse, wasSpare },
      rehearse: async () => {
        await control.execute('cont')
        await rehearse(components, monitor)
        await control.execute('stop')
        await disk.takeAway()
      },
      goOn: () => control.execute('cont')
    }
  } catch (thrown) {
    await monitor.end()
    const text = thrown instanceof Error ? thrown.message : String(thrown)
    throw new VmmError('ERR_VM_START', text, { cause: thrown, detail: monitor.log() })
  }
}
