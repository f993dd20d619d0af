import { VmmError } from '../errors.ts'
import { JAIL_DESCRIPTOR, JAILED } from '../jail/jail.ts'
import { startMonitor, type Monitor } from '../machine/monitor.ts'
import { DISK_NAME } from '../plan/machine-plan.ts'
import type { MachineShape, TemplateMachineComponents } from './take-template.ts'

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
}

/**
 * Starts a machine where a template was taken. It shares the memory of the template until it writes there.
 *
 * @throws VmmError `ERR_VM_START` for a template that does not fit or is not whole
 */
export async function startWaitingMachine(
  components: TemplateMachineComponents,
  shape: MachineShape,
  template: WaitingMachineInit
): Promise<WaitingMachine> {
  const monitor = startMonitor(components, { ...shape, disks: [], template })
  try {
    const { control } = monitor
    if (control === undefined) throw new VmmError('ERR_VM_START', 'expected a monitor that can be told')
    await control.move('migrate-incoming', `fd:${JAIL_DESCRIPTOR.state}`)
    return {
      monitor,
      giveDisk: async (name) => {
        const file = { driver: 'file', 'node-name': 'image', 'read-only': true }
        await control.execute('blockdev-add', { ...file, filename: `${JAILED.handover}/${name}` })
        const disk = { driver: 'raw', 'node-name': DISK_NAME, 'read-only': true, file: 'image' }
        await control.execute('blockdev-reopen', { options: [disk] })
      },
      goOn: () => control.execute('cont')
    }
  } catch (thrown) {
    await monitor.end()
    const text = thrown instanceof Error ? thrown.message : String(thrown)
    throw new VmmError('ERR_VM_START', text, { cause: thrown, detail: monitor.log() })
  }
}
