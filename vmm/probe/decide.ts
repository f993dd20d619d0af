import type { MachineArch } from '../plan/machine-plan.ts'

/** What is looked at before a machine is tried. */
export interface KvmFacts {
  readonly arch: MachineArch
  /** Whether `/dev/kvm` opens for reading and writing. */
  readonly opensKvm: boolean
  /** `/proc/cpuinfo`, or the beginning of it. */
  readonly cpuInfo: string
}

/** Whether it is worth to try the processor's virtualisation; `reason` when not. */
export type KvmDecision =
  { readonly isWorthTrying: true } | { readonly isWorthTrying: false; readonly reason: string }

/**
 * Decides from what can be read. That the device opens says little: there are machines where it does, where a machine is even
 * made, and no kernel ever starts in it; their processors do not tell of virtualisation.
 */
export function decideKvm({ arch, opensKvm, cpuInfo }: KvmFacts): KvmDecision {
  if (!opensKvm) return { isWorthTrying: false, reason: '/dev/kvm does not open for this user' }
  if (arch === 'x86_64' && !/^flags\s*:.*\b(vmx|svm)\b/m.test(cpuInfo)) {
    return { isWorthTrying: false, reason: 'the processor shows no virtualisation (vmx or svm)' }
  }
  return { isWorthTrying: true }
}

/**
 * How fast an emulated time stamp counter runs, in kHz: told to the guest, whose own measuring fails more often than not.
 * `undefined` where `/proc/cpuinfo` does not tell.
 */
export function timestampKhz(cpuInfo: string): number | undefined {
  const bogomips = Number(/^bogomips\s*:\s*([\d.]+)/m.exec(cpuInfo)?.[1])
  // Two loops a tick (linux/arch/x86/kernel/cpu/proc.c).
  return Number.isFinite(bogomips) && bogomips > 0 ? Math.round(bogomips * 500) : undefined
}

/** The name of a processor here for what Node calls it; `undefined` for one that no guest is built for. */
export function machineArch(nodeArch: string): MachineArch | undefined {
  if (nodeArch === 'x64') return 'x86_64'
  return nodeArch === 'arm64' ? 'aarch64' : undefined
}

/** Why no machine can be here whatever is installed; `undefined` where one can. */
export function whyNoMachines({ platform, arch }: { platform: string; arch: string }): string | undefined {
  if (platform === 'linux' && machineArch(arch) !== undefined) return undefined
  return `microVMs run on Linux on x86-64 and arm64, this is ${platform} on ${arch}: WASM only here`
}

/** Reads what `ldd` prints: the files a program is linked with, each once. */
export function linkedFiles(printed: string): string[] {
  const files = printed
    .split('\n')
    .map((line) => /(?:=>\s+|^\s+)(\/\S+)\s+\(0x[0-9a-f]+\)/.exec(line)?.[1])
    .filter((file) => file !== undefined)
  return [...new Set(files)]
}
