import assert from 'node:assert/strict'
import { chmod, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { silentLogger, systemRandom, type Logger } from '#contracts'
import {
  createMachinePool,
  systemTemplatePowers,
  type Machine,
  type MachineInit,
  type MachinePool
} from '#vmm'
import { createTemporaryFolder } from '../../support/temporary-folder.ts'
import { createVirtualClock, type VirtualClock } from '../../support/virtual-clock.ts'
import { createFakeHost, type FakeHost, type FakeMachine } from './fake-host.ts'

/** What a monitor of the lab has beside itself. */
export const LAYOUT: Omit<MachineInit['layout'], 'monitor'> = {
  bubblewrap: '/bwrap',
  prlimit: '/prlimit',
  reads: []
}

/** A pool on a fake host, in virtual time. */
export interface Lab extends AsyncDisposable {
  readonly host: FakeHost
  readonly clock: VirtualClock
  readonly folder: string
  readonly warnings: readonly string[]
  openPool(init?: { readonly warmMax?: number; readonly spareMax?: 0 | 1 }): MachinePool
  machine(change?: Partial<MachineInit>): MachineInit
  /** Starts one and waits until its program runs. */
  run(pool: MachinePool, change?: Partial<MachineInit>): Promise<Machine>
  /** What monitors were started for since the last time. */
  roles(): string[]
}

/** Opens a lab; nothing of it is left when it is disposed. */
export async function openLab(): Promise<Lab> {
  const temporary = await createTemporaryFolder()
  const folder = temporary.path
  for (const name of ['monitor', 'kernel', 'initrd', 'image']) await writeFile(join(folder, name), name)
  const host = createFakeHost()
  const clock = createVirtualClock()
  const warnings: string[] = []
  const logger: Logger = { ...silentLogger, warn: (event) => void warnings.push(event) }
  const pools: MachinePool[] = []
  const machines: Machine[] = []
  const machine = (change: Partial<MachineInit> = {}): MachineInit => ({
    ...{ arch: 'x86_64', tier: 'emulated', cpus: 1, wallMsMax: 60_000 },
    layout: { ...LAYOUT, monitor: join(folder, 'monitor') },
    limits: { memoryMib: 96, cpuSecondsMax: 10 },
    guest: { kernel: join(folder, 'kernel'), initrd: join(folder, 'initrd') },
    disks: [{ path: join(folder, 'image'), isReadOnly: true }],
    program: { args: ['/bin/program'] },
    signal: new AbortController().signal,
    ...change
  })
  let seen = 0
  return {
    ...{ host, clock, folder, warnings, machine },
    openPool: (init) => {
      const components = {
        powers: host.powers,
        files: systemTemplatePowers,
        clock,
        random: systemRandom,
        logger
      }
      const pool = createMachinePool(components, { folder: join(folder, 'pool'), ...init })
      pools.push(pool)
      return pool
    },
    run: async (pool, change) => {
      const started = await pool.start(machine(change))
      machines.push(started)
      await started.started
      await pool.settled()
      return started
    },
    roles: () => host.machines.slice(seen, (seen = host.machines.length)).map(({ role }) => role),
    [Symbol.asyncDispose]: async () => {
      for (const one of [...machines, ...pools]) await one[Symbol.asyncDispose]()
      assert.ok(
        host.machines.every(({ hasEnded }) => hasEnded),
        'nothing is left'
      )
      await temporary[Symbol.asyncDispose]()
    }
  }
}

/** Whether a machine was last told to go on or to stand still. */
export function lastMove(machine: FakeMachine | undefined): string | undefined {
  return machine?.told.findLast((command) => command === 'cont' || command === 'stop')
}

/** A file of the one template that was kept. */
export async function templateFile(lab: Lab, name: string): Promise<string> {
  const [key = ''] = await readdir(join(lab.folder, 'pool', 'templates'))
  return join(lab.folder, 'pool', 'templates', key, name)
}

/** Names in a folder that its owner, too, cannot look into. */
export async function handedOver(lab: Lab): Promise<string[]> {
  const handover = join(lab.folder, 'pool', 'handover')
  await chmod(handover, 0o700)
  return await readdir(handover)
}
