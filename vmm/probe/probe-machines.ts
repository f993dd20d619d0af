import { createHash } from 'node:crypto'
import type { Clock } from '#contracts'
import { VM_FRAME } from '../channel/frames.ts'
import { VM_PROBE_MS_MAX } from '../constants.ts'
import { VmmError } from '../errors.ts'
import type { MonitorLayout } from '../jail/jail.ts'
import { startMonitor, type GuestFiles } from '../machine/monitor.ts'
import type { MachineArch, MachineTier } from '../plan/machine-plan.ts'
import type { VmmPowers } from '../powers.ts'
import { decideKvm, machineArch, timestampKhz, whyNoMachines } from './decide.ts'
import { findMonitorLayout } from './find-layout.ts'

/** What is remembered between runs: which answer a trial start gave for one boot of this machine, monitor and kernel. */
export interface ProbeCache {
  get(key: string): Promise<string | undefined>
  set(key: string, answer: string): Promise<void>
}

/** What {@link probeMachines} looks at this machine with. */
export interface ProbeComponents {
  powers: VmmPowers
  clock: Clock
  cache: ProbeCache
}

/** How a stranger's program can be held here, and why so. */
export type MachineReport =
  | {
      /** `kvm` by the processor; `emulated` by a program that was never meant as a wall. */
      readonly tier: MachineTier
      /** One line for the user. */
      readonly reason: string
      readonly arch: MachineArch
      readonly layout: MonitorLayout
      readonly timestampKhz: number | undefined
    }
  | {
      readonly tier: 'none'
      readonly reason: string
      /** Debian's packages that would change that. */
      readonly packages: readonly string[]
    }

const CPU_INFO_BYTES_MAX = 65_536
const BOOT_ID_BYTES_MAX = 64
/** What a trial start answered when it went well; everything else is why it did not. */
const STARTED = 'started'
const TOO_SLOW = `none within ${VM_PROBE_MS_MAX} ms`
const PROBE_MEMORY_MIB = 128
const PROBE_CPU_SECONDS = 5

/**
 * Finds out how a machine can be held here: by the processor only when a guest was seen to start so.
 *
 * @param guest - what is started to see it
 */
export async function probeMachines(components: ProbeComponents, guest: GuestFiles): Promise<MachineReport> {
  const { powers } = components
  const reason = whyNoMachines(powers)
  const arch = machineArch(powers.arch)
  if (reason !== undefined || arch === undefined) return { tier: 'none', reason: reason ?? '', packages: [] }
  const found = await findMonitorLayout(powers, arch)
  if ('missing' in found) {
    const programs = found.missing.map(({ program }) => program).join(' and ')
    return {
      tier: 'none',
      reason: `${programs} not found`,
      packages: found.missing.map((one) => one.package)
    }
  }
  const { layout } = found
  const cpuInfo = (await powers.readText('/proc/cpuinfo', CPU_INFO_BYTES_MAX)) ?? ''
  const facts = { arch, layout, timestampKhz: timestampKhz(cpuInfo) }
  const decision = decideKvm({ arch, opensKvm: await powers.opens('/dev/kvm'), cpuInfo })
  if (!decision.isWorthTrying) return { tier: 'emulated', reason: decision.reason, ...facts }
  const answer = await rememberedStart(components, { arch, layout, guest })
  if (answer === STARTED) return { tier: 'kvm', reason: 'a guest started under KVM', ...facts }
  return { tier: 'emulated', reason: `no guest starts under KVM: ${answer}`, ...facts }
}

async function rememberedStart(
  components: ProbeComponents,
  trial: { arch: MachineArch; layout: MonitorLayout; guest: GuestFiles }
): Promise<string> {
  const { powers, cache } = components
  const inputs = await Promise.all([
    powers.readText('/proc/sys/kernel/random/boot_id', BOOT_ID_BYTES_MAX),
    ...[trial.layout.monitor, trial.guest.kernel, trial.guest.initrd].map((path) => powers.hashFile(path))
  ])
  const key = createHash('sha256').update(JSON.stringify(inputs)).digest('hex')
  // To remember only saves time: a disk that is full or broken keeps nobody from a machine.
  const known = await cache.get(key).catch(() => undefined)
  if (known !== undefined) return known
  const answer = await tryStart(components, trial)
  // One that was slow may only have been busy.
  if (answer !== TOO_SLOW) await cache.set(key, answer).catch(() => undefined)
  return answer
}

/** Starts the guest under KVM and waits for its first word; an early end, a wait too long and an error count alike. */
async function tryStart(
  { powers, clock }: ProbeComponents,
  { arch, layout, guest }: { arch: MachineArch; layout: MonitorLayout; guest: GuestFiles }
): Promise<string> {
  const decided = Promise.withResolvers<string>()
  const limits = { memoryMib: PROBE_MEMORY_MIB, cpuSecondsMax: PROBE_CPU_SECONDS }
  const monitor = startMonitor(
    { powers, clock },
    { layout, arch, tier: 'kvm', cpus: 1, limits, guest, disks: [] }
  )
  monitor.listen({
    take: ({ type }) => {
      if (type !== VM_FRAME.hello)
        throw new VmmError('ERR_VM_CHANNEL', 'expected the first word of the guest')
      decided.resolve(STARTED)
    },
    fail: (error) => decided.resolve(error.message)
  })
  using _deadline = clock.after(VM_PROBE_MS_MAX, () => decided.resolve(TOO_SLOW))
  void monitor.ended.then(({ code, signal }) =>
    decided.resolve(
      `its monitor ended with ${signal ?? code ?? 'nothing'} ${monitor.log().at(-1) ?? ''}`.trim()
    )
  )
  const answer = await decided.promise
  await monitor.end()
  return answer
}
