import type { Clock } from '#contracts'
import { createVmChannel, type VmChannel } from '../channel/vm-channel.ts'
import type { VmFrame } from '../channel/frames.ts'
import {
  VM_CONSOLE_BYTES_MAX,
  VM_END_MS_MAX,
  VM_MONITOR_NICENESS,
  VM_WAITING_BYTES_MAX
} from '../constants.ts'
import { VmmError } from '../errors.ts'
import {
  JAIL_DESCRIPTOR,
  JAILED,
  jailArguments,
  type JailLimits,
  type MonitorLayout,
  type ShownFile
} from '../jail/jail.ts'
import type { MachineArch, MachinePlan, MachineTier, TemplatePlan } from '../plan/machine-plan.ts'
import { planQemu } from '../plan/qemu.ts'
import type { MonitorEnd, MonitorProcess, MonitorSpawn, VmmPowers } from '../powers.ts'
import { createMonitorControl, type MonitorControl } from './control.ts'

const STATUS_BYTES_MAX = 4096
const CHILD_PID = /"child-pid"\s*:\s*(\d+)/

/** The kernel and the initial file system a guest starts from. */
export interface GuestFiles {
  readonly kernel: string
  readonly initrd: string
}

/** A disk of a machine to start. */
export interface MonitorDisk {
  readonly path: string
  readonly isReadOnly: boolean
  /** SHA-256 of all that is in it, in hexadecimal digits, where that is known and stays. */
  readonly hash?: string
}

/** A machine to start, with paths of this one. */
export interface MonitorInit {
  readonly layout: MonitorLayout
  readonly arch: MachineArch
  readonly tier: MachineTier
  readonly cpus: number
  readonly limits: JailLimits
  readonly guest: GuestFiles
  readonly disks: readonly MonitorDisk[]
  readonly timestampKhz?: number | undefined
  /** What it has to do with a template; its disk is then given to it later. */
  readonly template?: MonitorTemplate | undefined
}

/** What a monitor has to do with a template: it makes one, or it starts where one was taken. */
export interface MonitorTemplate {
  /** The file that is the machine's memory, as large as that. */
  readonly memory: string
  /** The rest of its state: a descriptor of this process where it is read, or the path of a socket to which it is written. */
  readonly state: number | string
  /** The folder from which its disk is given to it. */
  readonly handover?: string
}

/** A machine that starts or runs, in its jail. */
export interface Monitor {
  readonly pid: number | undefined
  readonly channel: VmChannel
  /** Tells it what to do; of one that has to do with a template. */
  readonly control: MonitorControl | undefined
  /** Names who is told what its guest does from now on; nothing of that is read before the first. */
  listen(events: MonitorEvents): void
  /** Sends a frame that belongs to no stream. */
  send(frame: Uint8Array): void
  /** The end of what the guest said on its console and the monitor on standard error, a line each. */
  log(): string[]
  /** Resolves when it has ended by itself or was ended. */
  readonly ended: Promise<MonitorEnd>
  /** Ends it with all that belongs to it and resolves when nothing is left. Idempotent. */
  end(): Promise<void>
}

/** What a monitor tells its owner. */
export interface MonitorEvents {
  /** A frame of the guest that belongs to no stream; may throw {@link VmmError}. */
  take(frame: VmFrame): void
  /** The guest broke the rules of its channel, or went away from it. */
  fail(error: VmmError): void
}

/**
 * Starts a machine in its jail.
 *
 * @throws VmmError `ERR_VM_PLAN` for a machine that cannot be
 */
export function startMonitor(
  components: { powers: Pick<VmmPowers, 'spawnMonitor' | 'killProcess'>; clock: Clock },
  init: MonitorInit
): Monitor {
  const process = components.powers.spawnMonitor(monitorCommand(init))
  let events: MonitorEvents | undefined
  const send = (frame: Uint8Array): void => {
    process.write(frame)
    if (process.waitingBytes <= VM_WAITING_BYTES_MAX) return
    events?.fail(new VmmError('ERR_VM_CHANNEL', 'expected the guest to take what its channel allows'))
  }
  const channel = createVmChannel({ send, take: (frame) => events?.take(frame) })
  const controlPair = process.pair(JAIL_DESCRIPTOR.control)
  const logs = [keepTail(process.stdout), keepTail(process.stderr)]
  const innerPid = findInnerPid(process.status)
  let hasEnded = false
  void process.ended.then(() => {
    hasEnded = true
  })
  let ending: Promise<void> | undefined
  const end = async (): Promise<void> => {
    using _lastResort = components.clock.after(VM_END_MS_MAX, () => process.kill())
    // The inner one first, so that the outer one buries it and nobody is left to the machine's init.
    const pid = await Promise.race([innerPid, process.ended.then(() => undefined)])
    // Once it has ended, its number may be somebody else's.
    if (pid === undefined) process.kill()
    else if (!hasEnded) components.powers.killProcess(pid)
    await process.ended
    process.close()
    channel.close()
  }
  return {
    pid: process.pid,
    channel,
    control:
      controlPair === undefined ? undefined : createMonitorControl(components.clock, process, controlPair),
    listen: (listener) => {
      const isFirst = events === undefined
      events = listener
      if (isFirst) void readChannel(process, channel, (error) => events?.fail(error))
    },
    send,
    log: () => logs.flatMap((log) => log()),
    ended: process.ended,
    end: () => (ending ??= end())
  }
}

/** What is started to make `init`'s machine. */
function monitorCommand(init: MonitorInit): MonitorSpawn {
  const { bubblewrap, nice, identity } = init.layout
  const args = monitorArguments(init)
  const { template } = init
  const extra = template === undefined ? {} : { extra: extraOf(template) }
  // What it starts keeps its priority, and may not raise it.
  return nice === undefined
    ? { command: bubblewrap, args, identity, ...extra }
    : { command: nice, args: ['-n', String(VM_MONITOR_NICENESS), bubblewrap, ...args], identity, ...extra }
}

/** Everything that bubblewrap is told to make `init`'s machine. */
export function monitorArguments(init: MonitorInit): string[] {
  const { layout, limits, guest, disks, tier, template } = init
  const files: ShownFile[] = [
    ...(typeof template?.state === 'number'
      ? []
      : [
          { source: guest.kernel, target: JAILED.kernel, isReadOnly: true },
          { source: guest.initrd, target: JAILED.initrd, isReadOnly: true }
        ]),
    ...disks.map(({ path, isReadOnly }, index) => ({ source: path, target: JAILED.disk(index), isReadOnly })),
    ...(template === undefined ? [] : templateFiles(template))
  ]
  return jailArguments(layout, { files, needsKvm: tier === 'kvm', limits }, machineArguments(init))
}

/** What the monitor itself is told: all that a template of its machine depends on, beside the files it names. */
export function machineArguments(init: MonitorInit): readonly string[] {
  const { limits, disks, tier, arch, cpus, timestampKhz, template } = init
  const plan: MachinePlan = {
    ...{ arch, tier, cpus, memoryMib: limits.memoryMib, timestampKhz },
    kernel: JAILED.kernel,
    initrd: JAILED.initrd,
    disks: disks.map(({ isReadOnly }, index) => ({ path: JAILED.disk(index), isReadOnly })),
    channel: { descriptor: JAIL_DESCRIPTOR.channel }
  }
  return planQemu(plan, template === undefined ? undefined : templatePlan(template)).args
}

/** In the order of their descriptors. */
function extraOf({ state }: MonitorTemplate): ('pair' | number)[] {
  return typeof state === 'number' ? ['pair', state] : ['pair']
}

/** Its memory may be mapped and not written to: no file of the jail may grow. */
function templateFiles({ memory, state, handover }: MonitorTemplate): ShownFile[] {
  return [
    ...(typeof state === 'string' ? [{ source: state, target: JAILED.state, isReadOnly: true }] : []),
    { source: memory, target: JAILED.memory, isReadOnly: false, isOnlyMapped: true },
    ...(handover === undefined ? [] : [{ source: handover, target: JAILED.handover, isReadOnly: true }])
  ]
}

function templatePlan({ state }: MonitorTemplate): TemplatePlan {
  return {
    role: typeof state === 'string' ? 'become' : 'start',
    memory: JAILED.memory,
    control: JAIL_DESCRIPTOR.control
  }
}

async function readChannel(
  process: MonitorProcess,
  channel: VmChannel,
  fail: MonitorEvents['fail']
): Promise<void> {
  try {
    for await (const chunk of process.channel) channel.push(chunk)
  } catch (thrown) {
    const refusal = 'expected frames of the channel'
    fail(thrown instanceof VmmError ? thrown : new VmmError('ERR_VM_CHANNEL', refusal, { cause: thrown }))
  }
}

/** The process everything in the jail hangs on; `undefined` when bubblewrap ended without naming it. */
async function findInnerPid(status: AsyncIterable<Uint8Array>): Promise<number | undefined> {
  const found = Promise.withResolvers<number | undefined>()
  const read = async (): Promise<void> => {
    const text = new TextDecoder()
    let said = ''
    // To its end: bubblewrap dies of a closed pipe when it says how the inner process ended.
    for await (const chunk of status) {
      said = (said + text.decode(chunk, { stream: true })).slice(0, STATUS_BYTES_MAX)
      const pid = Number(CHILD_PID.exec(said)?.[1])
      if (Number.isSafeInteger(pid) && pid > 1) found.resolve(pid)
    }
    found.resolve(undefined)
  }
  void read()
  return found.promise
}

/** The end of `source` as lines without control characters. */
function keepTail(source: AsyncIterable<Uint8Array>): () => string[] {
  let kept: Buffer = Buffer.alloc(0)
  const read = async (): Promise<void> => {
    for await (const chunk of source) {
      const joined = Buffer.concat([kept, chunk])
      kept = joined.subarray(Math.max(0, joined.byteLength - VM_CONSOLE_BYTES_MAX))
    }
  }
  void read()
  return () =>
    kept
      .toString('utf8')
      .split(/\r?\n/)
      .map((line) => line.replaceAll(/\p{Cc}/gu, '').trim())
      .filter((line) => line !== '')
}
