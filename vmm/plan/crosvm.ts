import { hardwareSocket } from './firecracker.ts'
import { checkPlan, kernelCommandLine, type MachinePlan, type MonitorPlan } from './machine-plan.ts'

/** The second console of virtio, as the guest numbers them: the channel. The first one is nobody's. */
const CHANNEL_CONSOLE = { number: 2, device: 'console:/dev/hvc1' } as const

/**
 * crosvm: told by its arguments. Its vsock needs a module of the host's kernel, so the channel is a console of its own that it
 * connects to a socket. It has no emulator.
 *
 * @param controlSocket - where it listens for `crosvm stop`
 * @throws VmmError `ERR_VM_PLAN`, also for the tier `emulated` or a channel that is no socket
 * @see https://crosvm.dev/book/running_crosvm/
 */
export function planCrosvm(plan: MachinePlan, controlSocket: string): MonitorPlan {
  checkPlan(plan)
  const { kernel, initrd, memoryMib, cpus, disks } = plan
  const args = [
    'run',
    ...['--mem', String(memoryMib)],
    ...['--cpus', String(cpus)],
    ...['--initrd', initrd],
    ...['--params', kernelCommandLine(plan, CHANNEL_CONSOLE.device)],
    ...['--serial', 'type=stdout,hardware=serial,num=1,console=true'],
    ...[
      '--serial',
      `type=unix-stream,hardware=virtio-console,num=${CHANNEL_CONSOLE.number},path=${hardwareSocket(plan)}`
    ],
    ...disks.flatMap(({ path, isReadOnly }) => ['--block', `path=${path},ro=${isReadOnly}`]),
    ...['--socket', controlSocket],
    kernel
  ]
  return { args, requests: [] }
}
