import { VmmError } from '../errors.ts'
import { JAIL_DESCRIPTOR, JAILED } from '../jail/jail.ts'
import { startMonitor, type Monitor } from '../machine/monitor.ts'
import { DISK_NAME, EMPTY_NAME } from '../plan/machine-plan.ts'
import { rehearse, type RehearsalComponents } from './rehearsal.ts'
import type { MachineShape, TemplateMachineComponents } from './take-template.ts'

/** What is in the disk of a machine that has it. */
const IMAGE_NAME = 'image'

/** A machine that stands still where its template was taken. */
export interface WaitingMachine {
  readonly monitor: Monitor
  /**
   * Gives it its disk.
   *
   * @param name - of the image in the folder it was told
   * @throws VmmError `ERR_VM_START`
   */
  giveDisk(name: string): Promise<void>
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
    const fillDisk = async (file: string): Promise<void> => {
      const disk = { driver: 'raw', 'node-name': DISK_NAME, 'read-only': true, file }
      await control.execute('blockdev-reopen', { options: [disk] })
    }
    return {
      monitor,
      canRehearse: template.canRehearse,
      giveDisk: async (name) => {
        const file = { driver: 'file', 'node-name': IMAGE_NAME, 'read-only': true }
        await control.execute('blockdev-add', { ...file, filename: `${JAILED.handover}/${name}` })
        await fillDisk(IMAGE_NAME)
      },
      rehearse: async () => {
        await control.execute('cont')
        await rehearse(components, monitor)
        await control.execute('stop')
        await fillDisk(EMPTY_NAME)
        await control.execute('blockdev-del', { 'node-name': IMAGE_NAME })
      },
      goOn: () => control.execute('cont')
    }
  } catch (thrown) {
    await monitor.end()
    const text = thrown instanceof Error ? thrown.message : String(thrown)
    throw new VmmError('ERR_VM_START', text, { cause: thrown, detail: monitor.log() })
  }
}
