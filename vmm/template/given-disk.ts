import { JAILED } from '../jail/jail.ts'
import type { MonitorControl } from '../machine/control.ts'
import { DISK_NAME, EMPTY_NAME } from '../plan/machine-plan.ts'

/** What is in the disk of a machine that has it. */
const IMAGE_NAME = 'image'

/** The disk of a machine that was started without one. */
export interface GivenDisk {
  /**
   * Gives the machine its disk.
   *
   * @param name - of the image in the folder it was told
   * @throws VmmError `ERR_VM_START`
   */
  give(name: string): Promise<void>
  /**
   * Takes it away again: the disk is empty then.
   *
   * @throws VmmError `ERR_VM_START`
   */
  takeAway(): Promise<void>
}

/** The disk of the machine of a monitor, which is told here what is in it. */
export function givenDisk(control: MonitorControl): GivenDisk {
  const fill = async (file: string): Promise<void> => {
    const disk = { driver: 'raw', 'node-name': DISK_NAME, 'read-only': true, file }
    await control.execute('blockdev-reopen', { options: [disk] })
  }
  return {
    give: async (name) => {
      const file = { driver: 'file', 'node-name': IMAGE_NAME, 'read-only': true }
      await control.execute('blockdev-add', { ...file, filename: `${JAILED.handover}/${name}` })
      await fill(IMAGE_NAME)
    },
    takeAway: async () => {
      await fill(EMPTY_NAME)
      await control.execute('blockdev-del', { 'node-name': IMAGE_NAME })
    }
  }
}
