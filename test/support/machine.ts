import { setTimeout as sleep } from 'node:timers/promises'
import { silentLogger, systemClock, systemRandom, type Logger } from '#contracts'
import {
  createMachinePool,
  probeMachines,
  startMachine,
  systemTemplatePowers,
  systemVmmPowers,
  type GuestFiles,
  type Machine,
  type MachineInit,
  type MachinePool,
  type MachineReport,
  type ProbeCache,
  type VmmPowers,
  type VmProgram
} from '#vmm'
import { VM_SPARE_AFTER_MS } from '../../vmm/constants.ts'

/** A cache of the probe that lives as long as the test. */
export function memoryCache(): ProbeCache & { readonly answers: ReadonlyMap<string, string> } {
  const answers = new Map<string, string>()
  return {
    answers,
    get: async (key) => answers.get(key),
    set: async (key, answer) => {
      answers.set(key, answer)
    }
  }
}

/** How machines are held here. */
export function probeHere(guest: GuestFiles): Promise<MachineReport> {
  return probeMachines({ powers: systemVmmPowers, clock: systemClock, cache: memoryCache() }, guest)
}

/** What a test says of a machine; the rest is small and short-lived. */
export interface TestMachineInit {
  readonly report: MachineReport
  readonly guest: GuestFiles
  /** Path of its root image. */
  readonly image: string
  readonly program: VmProgram
  readonly change?: Partial<MachineInit>
}

/** Starts a machine in the very jail that every machine gets. */
export function startTestMachine(init: TestMachineInit): Machine {
  return startMachine(
    { powers: systemVmmPowers, clock: systemClock, random: systemRandom },
    machineInit(init)
  )
}

/** A small and short-lived machine. */
export function machineInit({ report, guest, image, program, change }: TestMachineInit): MachineInit {
  if (report.tier === 'none') throw new Error(`expected machines here: ${report.reason}`)
  const { layout, arch, tier, timestampKhz } = report
  return {
    ...{ layout, arch, tier, timestampKhz, guest, program, cpus: 1 },
    limits: { memoryMib: 128, cpuSecondsMax: 60 },
    disks: [{ path: image, isReadOnly: true }],
    wallMsMax: 60_000,
    signal: new AbortController().signal,
    ...change
  }
}

/** Machines from templates in `folder`, of which up to `warmMax` wait, whatever memory is free. */
export function openTestPool(
  folder: string,
  {
    logger = silentLogger,
    warmMax = 1,
    ...init
  }: { logger?: Logger; warmMax?: number; spareMax?: 0 | 1 } = {}
): MachinePool {
  const powers: VmmPowers = {
    ...systemVmmPowers,
    readText: async (path, bytesMax) =>
      path === '/proc/meminfo'
        ? 'MemAvailable:   16777216 kB\n'
        : await systemVmmPowers.readText(path, bytesMax)
  }
  const components = { powers, files: systemTemplatePowers, clock: systemClock }
  return createMachinePool({ ...components, random: systemRandom, logger }, { folder, warmMax, ...init })
}

/** Resolves when a pool has prepared all that it will, a monitor for the next machine included. */
export async function spareSettled(pool: MachinePool): Promise<void> {
  await pool.settled()
  // It is started a moment after everything else; that its time has come is not told.
  await sleep(2 * VM_SPARE_AFTER_MS)
  await pool.settled()
}

/** Reads a stream to its end as text. */
export async function readText(source: AsyncIterable<Uint8Array>): Promise<string> {
  return Buffer.concat(await Array.fromAsync(source)).toString('utf8')
}
