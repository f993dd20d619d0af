import { hardwareSocket } from './firecracker.ts'
import {
  checkPlan,
  kernelCommandLine,
  VSOCK_GUEST_CID,
  VSOCK_PORT,
  type MachinePlan,
  type MonitorPlan
} from './machine-plan.ts'

/**
 * Cloud Hypervisor: told by its arguments, reached by vsock in the form of Firecracker's. It has no emulator.
 *
 * @param apiSocket - where it listens for its API
 * @throws VmmError `ERR_VM_PLAN`, also for the tier `emulated` or a channel that is no socket
 * @see https://github.com/cloud-hypervisor/cloud-hypervisor/blob/main/docs/vsock.md
 */
export function planCloudHypervisor(plan: MachinePlan, apiSocket: string): MonitorPlan {
  checkPlan(plan)
  const { kernel, initrd, memoryMib, cpus, disks } = plan
  const drives = disks.map(({ path, isReadOnly }) => `path=${path},readonly=${isReadOnly ? 'on' : 'off'}`)
  const args = [
    ...['--api-socket', `path=${apiSocket}`],
    ...['--seccomp', 'true'],
    ...['--kernel', kernel],
    ...['--initramfs', initrd],
    ...['--cmdline', kernelCommandLine(plan, `vsock:${VSOCK_PORT}`)],
    ...['--cpus', `boot=${cpus}`],
    ...['--memory', `size=${memoryMib}M`],
    ...['--serial', 'tty', '--console', 'off'],
    ...(drives.length === 0 ? [] : ['--disk', ...drives]),
    ...['--vsock', `cid=${VSOCK_GUEST_CID},socket=${hardwareSocket(plan)}`]
  ]
  return { args, requests: [] }
}
