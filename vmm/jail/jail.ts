import { VM_MONITOR_FILES_MAX, VM_MONITOR_MIB, VM_MONITOR_THREADS_MAX } from '../constants.ts'
import type { MonitorIdentity } from '../powers.ts'

/** What a jailed monitor needs of this machine. Found once by the probe. */
export interface MonitorLayout {
  readonly bubblewrap: string
  readonly prlimit: string
  /** Lowers its priority where there is one. */
  readonly nice?: string | undefined
  /** It is shown where it is: it finds its firmware and its own parts from there. */
  readonly monitor: string
  /** Files and folders it reads, at the paths where it looks for them: libraries, the loader, its firmware. */
  readonly reads: readonly string[]
  /** Whether bubblewrap can forbid further user namespaces, in which a process would have rights of its own again. */
  readonly forbidsNamespaces?: boolean | undefined
  /** Whether the kernel counts threads in a user namespace by themselves; elsewhere a limit would count the user's others too. */
  readonly hasOwnThreadCount?: boolean | undefined
  /** Who the jail itself runs as; `undefined` for this process's own user. */
  readonly identity?: MonitorIdentity | undefined
}

/** What one machine may have of this one. */
export interface JailLimits {
  readonly memoryMib: number
  /** Processor time of the monitor and its machine together. */
  readonly cpuSecondsMax: number
}

/** One file that the monitor is shown, and where. */
export interface ShownFile {
  readonly source: string
  readonly target: string
  readonly isReadOnly: boolean
  /** Whether it is opened for writing only because a monitor opens its machine's memory so: it is mapped and never written to. */
  readonly isOnlyMapped?: boolean
}

/** One machine in its jail. */
export interface JailInit {
  readonly files: readonly ShownFile[]
  /** Whether it may use the processor's virtualisation. */
  readonly needsKvm: boolean
  readonly limits: JailLimits
}

/** Where things are inside the jail; nothing there tells what they are called outside. */
export const JAILED = {
  prlimit: '/vm/prlimit',
  kernel: '/vm/kernel',
  initrd: '/vm/initrd',
  disk: (index: number): string => `/vm/disk${index}`,
  memory: '/vm/memory',
  state: '/vm/state',
  handover: '/vm/handover'
} as const

/** Descriptors of a jailed monitor beside its standard streams; the last two where it has to do with a template. */
export const JAIL_DESCRIPTOR = { channel: 3, status: 4, control: 5, state: 6 } as const

const NOBODY = '65534'
const KVM = '/dev/kvm'
/** QEMU opens it to find out what kinds of locks there are. */
const NULL = '/dev/null'
const MIB = 1024 * 1024

/**
 * Arguments of bubblewrap around a monitor: every namespace new, so no network and no process but its own; no capability, no
 * environment; a root folder that holds what it reads and nothing else. It dies with the process that started it.
 *
 * @param monitorArgs - what the monitor itself is told
 */
export function jailArguments(
  layout: MonitorLayout,
  { files, needsKvm, limits }: JailInit,
  monitorArgs: readonly string[]
): string[] {
  const shown: ShownFile[] = [
    ...layout.reads.map((path) => ({ source: path, target: path, isReadOnly: true })),
    { source: layout.prlimit, target: JAILED.prlimit, isReadOnly: true },
    { source: layout.monitor, target: layout.monitor, isReadOnly: true },
    ...files
  ]
  return [
    '--unshare-all',
    ...(layout.forbidsNamespaces === true ? ['--unshare-user', '--disable-userns'] : []),
    ...['--uid', NOBODY, '--gid', NOBODY],
    ...['--cap-drop', 'ALL'],
    '--die-with-parent',
    '--as-pid-1',
    // No session of its own: it stays in the process group that is killed with its owner, and its guard's session has no terminal.
    '--clearenv',
    ...shown.flatMap(({ source, target, isReadOnly }) => [
      isReadOnly ? '--ro-bind' : '--bind',
      source,
      target
    ]),
    ...[NULL, ...(needsKvm ? [KVM] : [])].flatMap((path) => ['--dev-bind', path, path]),
    ...['--remount-ro', '/'],
    ...['--chdir', '/'],
    ...['--json-status-fd', String(JAIL_DESCRIPTOR.status)],
    '--',
    JAILED.prlimit,
    ...resourceArguments(layout, limits, files),
    layout.monitor,
    ...monitorArgs
  ]
}

/** Arguments of prlimit: what the kernel itself holds the monitor to. */
function resourceArguments(
  { hasOwnThreadCount }: MonitorLayout,
  { memoryMib, cpuSecondsMax }: JailLimits,
  files: readonly ShownFile[]
): string[] {
  return [
    ...(hasOwnThreadCount === true ? [`--nproc=${VM_MONITOR_THREADS_MAX}`] : []),
    `--as=${(memoryMib + VM_MONITOR_MIB) * MIB}`,
    // The soft limit is SIGXCPU, which the first process of a namespace does not get; the hard one is SIGKILL.
    `--cpu=${cpuSecondsMax}:${cpuSecondsMax + 1}`,
    `--nofile=${VM_MONITOR_FILES_MAX}`,
    '--core=0',
    ...(files.every((file) => file.isReadOnly || file.isOnlyMapped === true) ? ['--fsize=0'] : [])
  ]
}
