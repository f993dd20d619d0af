import type { Clock } from '#contracts'
import { probeMachines, whyNoMachines, type VmmPowers } from '#vmm'
import type { MachineCheck } from './powers.ts'

/** Without a memory: who asks a doctor wants to know how it is now. */
const NO_CACHE = {
  get: async (): Promise<undefined> => await Promise.resolve(undefined),
  set: async (): Promise<void> => await Promise.resolve()
}

const GUEST_STEPS = [
  'elastos guest use DID, of somebody who publishes one',
  'elastos guest build ./guest && elastos guest use ./guest'
]

/**
 * How machines are held here, in one line: `kvm`, `emulated` or `none`, why, and what comes next.
 *
 * @param init.guest - the folder of the guest that machines start
 */
export async function checkMachines(
  powers: VmmPowers,
  { clock, guest }: { clock: Clock; guest: string }
): Promise<MachineCheck> {
  const name = 'microvm'
  const elsewhere = whyNoMachines(powers)
  if (elsewhere !== undefined) return { name, isOk: false, found: `none: ${elsewhere}`, mend: [] }
  const files = { kernel: `${guest}/kernel`, initrd: `${guest}/initrd` }
  const present = await Promise.all(Object.values(files).map((path) => powers.resolvePath(path)))
  const hasGuest = !present.includes(undefined)
  // Without a guest to try, KVM that opens says nothing.
  const tried: VmmPowers = hasGuest ? powers : { ...powers, opens: async () => await Promise.resolve(false) }
  const report = await probeMachines({ powers: tried, clock, cache: NO_CACHE }, files)
  if (report.tier !== 'none' && !hasGuest) {
    const found = 'none: there is no guest (kernel and first process) to start yet'
    return {
      name,
      isOk: false,
      found,
      mend: GUEST_STEPS
    }
  }
  if (report.tier === 'none') {
    const found = `none: ${report.reason}`
    return { name, isOk: false, found, mend: [`sudo apt-get install ${report.packages.join(' ')}`] }
  }
  if (report.tier === 'kvm') return { name, isOk: true, found: `kvm: ${report.reason}`, mend: [] }
  const hasDevice = (await powers.resolvePath('/dev/kvm')) !== undefined
  const isClosed = hasDevice && !(await powers.opens('/dev/kvm'))
  return {
    ...{ name, isOk: false },
    found: `emulated: ${report.reason}; that is no wall, so a stranger's needs --allow-emulated`,
    mend: isClosed ? ['let your user open /dev/kvm: sudo usermod -aG kvm "$USER", then log in again'] : []
  }
}
