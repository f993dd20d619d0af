import type { MonitorLayout } from '../jail/jail.ts'
import type { MachineArch } from '../plan/machine-plan.ts'
import type { VmmPowers } from '../powers.ts'
import { linkedFiles } from './decide.ts'

/** A program a machine needs, and Debian's package with it. */
export interface MissingProgram {
  readonly program: string
  readonly package: string
}

type FindPowers = Pick<VmmPowers, 'findProgram' | 'resolvePath' | 'linkedFiles' | 'helpOf' | 'kernelRelease'>

const MONITORS: Readonly<Record<MachineArch, MissingProgram>> = {
  x86_64: { program: 'qemu-system-x86_64', package: 'qemu-system-x86' },
  aarch64: { program: 'qemu-system-aarch64', package: 'qemu-system-arm' }
}
/** Where distributions put the parts of QEMU that it loads when it needs them, and the firmware that starts a kernel. */
const PARTS: Readonly<
  Record<MachineArch, { folders: readonly string[]; emulator: string; firmware: readonly string[] }>
> = {
  x86_64: {
    folders: ['/usr/lib/x86_64-linux-gnu/qemu', '/usr/lib64/qemu', '/usr/lib/qemu'],
    emulator: 'accel-tcg-x86_64.so',
    firmware: ['/usr/share/qemu/qboot.rom', '/usr/share/qemu-firmware/qboot.rom']
  },
  aarch64: {
    folders: ['/usr/lib/aarch64-linux-gnu/qemu', '/usr/lib64/qemu', '/usr/lib/qemu'],
    emulator: 'accel-tcg-aarch64.so',
    firmware: []
  }
}

/** The first kernel that counts processes by user namespace (ucounts of RLIMIT_NPROC). */
const OWN_COUNT_KERNEL = [5, 14] as const

/** Finds the monitor of this machine and all that its jail must show it, or what is missing for that. */
export async function findMonitorLayout(
  powers: FindPowers,
  arch: MachineArch
): Promise<{ layout: MonitorLayout } | { missing: readonly MissingProgram[] }> {
  const needed = [
    MONITORS[arch],
    { program: 'bwrap', package: 'bubblewrap' },
    { program: 'prlimit', package: 'util-linux' }
  ]
  const paths = await Promise.all(needed.map(({ program }) => powers.findProgram(program)))
  const missing = needed.filter((_, index) => paths[index] === undefined)
  const [monitor, bubblewrap, prlimit] = paths
  if (monitor === undefined || bubblewrap === undefined || prlimit === undefined) return { missing }
  const nice = await powers.findProgram('nice')
  const { folders, emulator, firmware } = PARTS[arch]
  const [parts] = await existing(powers, folders)
  const linked = [monitor, prlimit, ...(parts === undefined ? [] : [`${parts}/${emulator}`])]
  const libraries = await Promise.all(linked.map(async (path) => linkedFiles(await powers.linkedFiles(path))))
  const firmwares = await existing(powers, firmware)
  const reads = [...new Set(libraries.flat()), ...(parts === undefined ? [] : [parts]), ...firmwares]
  const forbidsNamespaces = (await powers.helpOf(bubblewrap)).includes('--disable-userns')
  const hasOwnThreadCount = isKernelFrom(powers.kernelRelease, OWN_COUNT_KERNEL)
  return { layout: { bubblewrap, prlimit, nice, monitor, reads, forbidsNamespaces, hasOwnThreadCount } }
}

function isKernelFrom(release: string, [major, minor]: readonly [number, number]): boolean {
  const [, thisMajor = '0', thisMinor = '0'] = /^(\d+)\.(\d+)/.exec(release) ?? []
  return Number(thisMajor) > major || (Number(thisMajor) === major && Number(thisMinor) >= minor)
}

async function existing(powers: FindPowers, paths: readonly string[]): Promise<string[]> {
  const found = await Promise.all(paths.map(async (path) => [path, await powers.resolvePath(path)] as const))
  return found.filter(([, resolved]) => resolved !== undefined).map(([path]) => path)
}
