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

/** Where a waiting machine comes from. */
export interface WaitingMachineInit {
  /** The file with the memory of its template. */
  readonly memory: string
  /** The rest of the template's state, a descriptor of this process that is open until this returned. */
  readonly state: number
  /** The folder from which it will be given its disk. */
  readonly handover: string
  /** Whether its guest can rehearse the start of a program. */
  readonly canRehearse: boolean
}

/**
 * Starts a machine where a template was taken. It shares the memory of the template until it writes there.
 *
 * @throws VmmError `ERR_VM_START` for a template that does not fit or is not whole
 */
export async function startWaitingMachine(
  components: TemplateMachineComponents & RehearsalComponents,
  shape: MachineShape,
  template: WaitingMachineInit
): Promise<WaitingMachine> {
  const monitor = startMonitor(components, { ...shape, disks: [], template })
  try {
    const { control } = monitor
    if (control === undefined) throw new VmmError('ERR_VM_START', 'expected a monitor that can be told')
    await control.move('migrate-incoming', `fd:${JAIL_DESCRIPTOR.state}`)
    const disk = givenDisk(control)
    return {
      ...{ monitor, disk },
      canRehearse: template.canRehearse,
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
