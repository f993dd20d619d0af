import {
  VM_CPUS_MAX,
  VM_DISKS_MAX,
  VM_MEMORY_MIB_MAX,
  VM_MEMORY_MIB_MIN,
  VM_PATH_CHARS_MAX
} from '../constants.ts'
import { VmmError } from '../errors.ts'

/** A processor that machines are made of. */
export type MachineArch = 'x86_64' | 'aarch64'
/** By what a machine is held: the processor's own virtualisation, or a program that emulates one and is no wall. */
export type MachineTier = 'kvm' | 'emulated'

/** A disk of a machine; the first one is the root of its program. */
export interface MachineDisk {
  readonly path: string
  readonly isReadOnly: boolean
}

/** One machine, whatever monitor makes it. Paths are as the monitor sees them. */
export interface MachinePlan {
  readonly arch: MachineArch
  readonly tier: MachineTier
  readonly memoryMib: number
  readonly cpus: number
  readonly kernel: string
  readonly initrd: string
  readonly disks: readonly MachineDisk[]
  /** The Unix socket on which the host listens before the monitor starts, or one that the monitor has open already. */
  readonly channel: { readonly socket: string } | { readonly descriptor: number }
  /** How fast the time stamp counter of an emulated processor runs; it cannot be measured there. */
  readonly timestampKhz?: number | undefined
}

/**
 * What a machine has to do with a template: it becomes one, or it starts where one was taken. Its disk is given to it when it
 * begins; until then there is nothing in it.
 */
export interface TemplatePlan {
  readonly role: 'become' | 'start'
  /** The file that is its memory: written through to become a template, private to who starts from it. */
  readonly memory: string
  /** The descriptor over which the monitor is told what to do. */
  readonly control: number
}

/** What a monitor is started with and then told. */
export interface MonitorPlan {
  readonly args: readonly string[]
  /** Requests to its API in this order; the last one starts the machine. None where the arguments say it all. */
  readonly requests: readonly MonitorRequest[]
}

/** One request to a monitor's HTTP API. */
export interface MonitorRequest {
  readonly method: 'PUT' | 'PATCH'
  readonly path: string
  readonly body: unknown
}

/** Port of a machine's vsock on which the host listens, where the channel is one: at the socket's path and `_1024`. */
export const VSOCK_PORT = 1024
/** The context id of the guest; nobody else is in the same machine's vsock. */
export const VSOCK_GUEST_CID = 3
/** What the first disk of a machine is called, where it is given later. */
export const DISK_NAME = 'disk0'
/** What is in it until then: nothing. */
export const EMPTY_NAME = 'empty'
/** Name of the channel's port, where it is one of virtio-serial. */
export const PORT_NAME = 'elastos'

/** How a guest reaches the host, as its command line says it. */
export type ChannelDevice = `port:${string}` | `vsock:${number}` | `console:${string}`

/**
 * What an emulated kernel does without. A self-test and guards against neighbours cost a fifth of the start; an emulator has no
 * neighbours to guard from. The others are rules that nobody wrote, counts that nobody reads and fairness among groups of one: an
 * emulator translates their code again in each machine. Programs may still fence themselves in (Landlock).
 */
const EMULATED_OPTIONS = [
  'cryptomgr.notests',
  'mitigations=off',
  'lsm=landlock',
  'psi=0',
  'nowatchdog',
  'cgroup_disable=memory',
  'noautogroup'
]

/**
 * Refuses a machine that no monitor should be asked for.
 *
 * @throws VmmError `ERR_VM_PLAN` for memory, processors or disks out of bounds, or a path that would end an option
 */
export function checkPlan({ memoryMib, cpus, kernel, initrd, disks, channel }: MachinePlan): void {
  if (!isWithin(memoryMib, VM_MEMORY_MIB_MIN, VM_MEMORY_MIB_MAX)) {
    throw refusal(`${VM_MEMORY_MIB_MIN} to ${VM_MEMORY_MIB_MAX} MiB of memory, got ${memoryMib}`)
  }
  if (!isWithin(cpus, 1, VM_CPUS_MAX)) throw refusal(`1 to ${VM_CPUS_MAX} processors, got ${cpus}`)
  if (disks.length > VM_DISKS_MAX) throw refusal(`at most ${VM_DISKS_MAX} disks, got ${disks.length}`)
  const paths = [
    kernel,
    initrd,
    ...disks.map((disk) => disk.path),
    ...('socket' in channel ? [channel.socket] : [])
  ]
  // Commas, colons and equals signs separate options, and not every monitor can quote them.
  const wrong = paths.find((path) => path.length > VM_PATH_CHARS_MAX || !/^\/[\w./+@-]*$/.test(path))
  if (wrong !== undefined)
    throw refusal(`absolute paths of letters, digits and ./+@_-, got ${JSON.stringify(wrong)}`)
}

/**
 * The kernel's command line. Nothing in it is a secret, and nothing of the program: anybody on the host may read it.
 *
 * @param device - how the guest reaches the host
 */
export function kernelCommandLine(plan: MachinePlan, device: ChannelDevice): string {
  const { arch, tier, timestampKhz } = plan
  const isEmulatedX86 = tier === 'emulated' && arch === 'x86_64'
  return [
    `console=${arch === 'x86_64' ? 'ttyS0' : 'ttyAMA0'}`,
    'quiet',
    'panic=-1',
    ...(tier === 'emulated' ? EMULATED_OPTIONS : []),
    // An emulated counter is measured against ticks that come late on a busy host, and given up for them: four milliseconds each.
    ...(isEmulatedX86 ? ['no_timer_check', 'tsc=reliable'] : []),
    ...(isEmulatedX86 && timestampKhz !== undefined ? [`tsc_early_khz=${timestampKhz}`] : []),
    `elastos.channel=${device}`
  ].join(' ')
}

function isWithin(value: number, least: number, most: number): boolean {
  return Number.isInteger(value) && value >= least && value <= most
}

function refusal(expected: string): VmmError {
  return new VmmError('ERR_VM_PLAN', `expected a machine with ${expected}`)
}
