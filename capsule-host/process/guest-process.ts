import type { Clock } from '#contracts'
import type { HostPowers, SpawnedProcess } from '../powers.ts'
import { spawnConfined, spawnSandboxed, type ProcessLimits } from '../sandbox/command.ts'
import type { SandboxReport } from '../sandbox/report.ts'
import { superviseProcess, type Supervisor } from './supervisor.ts'

/** A process that runs the guest script, for one capsule and no second one. */
export interface GuestProcess {
  readonly process: Pick<SpawnedProcess, 'pid' | 'write' | 'waitingBytes' | 'ended'>
  /** What it writes: frames. To be read once. */
  readonly output: AsyncIterable<Uint8Array>
  readonly supervisor: Supervisor
  /** How long it may take to say that it is up; as long as any process when absent. */
  readonly startMsMax?: number
}

/** What a guest process is started with. */
export interface GuestProcessComponents {
  powers: Pick<HostPowers, 'spawn' | 'killProcess'>
  clock: Clock
  sandbox: SandboxReport
}

/** Starts a guest process held to `limits`, in the sandbox where the machine has one. */
export function startGuestProcess(components: GuestProcessComponents, limits: ProcessLimits): GuestProcess {
  const { powers, sandbox } = components
  const isSandboxed = sandbox.layout !== undefined
  const process =
    sandbox.layout === undefined
      ? spawnConfined(powers, sandbox.process, limits)
      : spawnSandboxed(powers, sandbox.layout, limits)
  return {
    process,
    output: process.stdout,
    supervisor: superviseProcess(components, process, { isSandboxed })
  }
}
