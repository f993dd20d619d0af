import { VmmError } from '../errors.ts'
import {
  checkPlan,
  kernelCommandLine,
  VSOCK_GUEST_CID,
  VSOCK_PORT,
  type MachinePlan,
  type MonitorPlan
} from './machine-plan.ts'

/**
 * Firecracker: told over its API, reached by vsock. It has no emulator.
 *
 * @param apiSocket - where it listens for its API
 * @throws VmmError `ERR_VM_PLAN`, also for the tier `emulated` or a channel that is no socket
 * @see https://github.com/firecracker-microvm/firecracker/blob/main/src/firecracker/swagger/firecracker.yaml
 */
export function planFirecracker(plan: MachinePlan, apiSocket: string): MonitorPlan {
  checkPlan(plan)
  const { kernel, initrd, memoryMib, cpus, disks } = plan
  const bootArgs = ['reboot=k', 'pci=off', kernelCommandLine(plan, `vsock:${VSOCK_PORT}`)].join(' ')
  const put = (path: string, body: unknown): MonitorPlan['requests'][number] => ({
    method: 'PUT',
    path,
    body
  })
  return {
    args: ['--api-sock', apiSocket],
    requests: [
      put('/boot-source', { kernel_image_path: kernel, initrd_path: initrd, boot_args: bootArgs }),
      put('/machine-config', { vcpu_count: cpus, mem_size_mib: memoryMib, smt: false }),
      ...disks.map(({ path, isReadOnly }, index) =>
        put(`/drives/disk${index}`, {
          drive_id: `disk${index}`,
          path_on_host: path,
          is_root_device: false,
          is_read_only: isReadOnly
        })
      ),
      put('/vsock', { guest_cid: VSOCK_GUEST_CID, uds_path: hardwareSocket(plan) }),
      put('/actions', { action_type: 'InstanceStart' })
    ]
  }
}

/**
 * The socket of a plan whose monitor only knows the processor's own virtualisation and connects to a socket by its path.
 *
 * @throws VmmError `ERR_VM_PLAN` for another plan
 */
export function hardwareSocket({ tier, channel }: MachinePlan): string {
  if (tier !== 'kvm')
    throw new VmmError('ERR_VM_PLAN', 'expected a machine of the tier kvm: this monitor has no emulator')
  if ('socket' in channel) return channel.socket
  throw new VmmError('ERR_VM_PLAN', 'expected the path of a socket: this monitor takes no open one')
}
