import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { errorMessage, type Clock, type Logger, type Random } from '#contracts'
import {
  createMachinePool,
  probeMachines,
  systemTemplatePowers,
  VmmError,
  whyNoMachines,
  type GuestFiles,
  type Machine,
  type MachinePool,
  type MachineReport,
  type MachineTier,
  type ProbeCache,
  type VmTerminalSize,
  type VmmPowers
} from '#vmm'
import type { DataPaths } from './data-folder.ts'
import { keepUsed, removeUnfinished, writeWhole } from './powers.ts'
import type { TextFiles } from './text-files.ts'

/** What {@link createMachines} works with. */
export interface MachinesComponents {
  readonly paths: Pick<DataPaths, 'guest' | 'machines'>
  readonly files: TextFiles
  readonly powers: VmmPowers
  /** Sees to it that the guest its user chose lies in its folder, and stays as long as it is held; absent for whatever lies there. */
  readonly holdGuest?: (signal: AbortSignal) => Promise<Disposable>
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
}

/** A program to run in a machine of its own. */
export interface MachineRequest {
  /** Its root image, or where it lies: then nobody else may change it. */
  readonly image: Uint8Array | { readonly path: string }
  /** The program by its path in the image, and its arguments. */
  readonly program: readonly string[]
  readonly environment?: Readonly<Record<string, string>>
  /** Its standard streams are a terminal of this size. */
  readonly terminal?: VmTerminalSize | undefined
  readonly memoryBytesMax: number
  readonly cpuSecondsMax: number
  readonly wallMsMax: number
  /** Whether a machine that is only emulated will do. */
  readonly mayBeEmulated: boolean
  /** Called with by what it is held, and a sentence about that for its user. */
  readonly onHeld?: ((text: string, tier: MachineTier) => void) | undefined
  readonly signal: AbortSignal
}

/** Machines for capsules. Disposing them ends those that wait for a program. */
export interface Machines extends AsyncDisposable {
  /**
   * Starts a machine.
   *
   * @throws VmmError `ERR_VM_UNAVAILABLE` where there is none, `ERR_VM_EMULATED` where one is only emulated and that will not do
   */
  start(request: MachineRequest): Promise<Machine>
  /** Removes what a node that was killed left half made; before anything is started. Never rejects. */
  clean(): Promise<void>
}

const MIB = 1024 * 1024
/** What a guest itself needs; a capsule's memory is beside it. */
const GUEST_MIB = 96
/** What an emulated guest takes of the processor until its program runs. */
const START_CPU_SECONDS = 30
const ANSWERS_BYTES_MAX = 4096
/** Root images that are kept for the next run; a machine that runs has its own open and needs its file no more. */
const IMAGES_KEPT_MAX = 16

const HELD_BY_PROCESSOR = 'it runs in a machine of its own, held by the processor (kvm)'
const HELD_BY_EMULATOR = 'it runs in an emulated machine, which is no wall by itself (emulated)'

/** Machines of this device. Nothing is looked at before the first one is asked for. */
export function createMachines(components: MachinesComponents): Machines {
  const { paths, powers, clock, random, logger } = components
  const guest: GuestFiles = { kernel: join(paths.guest, 'kernel'), initrd: join(paths.guest, 'initrd') }
  const placeImage = createImageShelf(components)
  const probe = createProbe(components, guest)
  const pool = createMachinePool(
    { powers, files: systemTemplatePowers, clock, random, logger },
    { folder: paths.machines }
  )
  return {
    start: async (request) => {
      refuseElsewhere(powers)
      using _guest = await components.holdGuest?.(request.signal)
      const report = await probe()
      logger.info('machine starts', { tier: report.tier, reason: report.reason })
      if (report.tier === 'none') {
        throw new VmmError(
          'ERR_VM_UNAVAILABLE',
          `expected a machine of its own for this capsule: ${report.reason}`,
          {
            detail: report.packages.map((name) => `apt-get install ${name}`)
          }
        )
      }
      const { tier, reason, arch, layout, timestampKhz } = report
      if (tier === 'emulated' && !request.mayBeEmulated) {
        throw new VmmError('ERR_VM_EMULATED', `expected a machine held by the processor: ${reason}`, {
          detail: ['an emulated machine is no wall; --allow-emulated runs it all the same']
        })
      }
      request.onHeld?.(tier === 'kvm' ? HELD_BY_PROCESSOR : `${HELD_BY_EMULATOR}: ${reason}`, tier)
      const image = 'path' in request.image ? request.image.path : await placeImage(request.image)
      return await pool.start({
        ...{ arch, tier, layout, timestampKhz, guest, cpus: 1 },
        limits: {
          memoryMib: GUEST_MIB + Math.ceil(request.memoryBytesMax / MIB),
          cpuSecondsMax: request.cpuSecondsMax + START_CPU_SECONDS
        },
        disks: [{ path: image, isReadOnly: true }],
        program: {
          args: request.program,
          ...(request.environment === undefined ? {} : { environment: request.environment }),
          ...(request.terminal === undefined ? {} : { terminal: request.terminal })
        },
        wallMsMax: request.wallMsMax,
        signal: request.signal
      })
    },
    clean: () => cleanUp(components, pool),
    [Symbol.asyncDispose]: () => pool[Symbol.asyncDispose]()
  }
}

async function cleanUp(
  { paths, logger }: Pick<MachinesComponents, 'paths' | 'logger'>,
  pool: MachinePool
): Promise<void> {
  try {
    await removeUnfinished(paths.machines)
    await pool.clean()
  } catch (thrown) {
    logger.warn('what was left of machines stays', { error: errorMessage(thrown) })
  }
}

/** Before anything is looked for that could not help. */
function refuseElsewhere(powers: Pick<VmmPowers, 'platform' | 'arch'>): void {
  const reason = whyNoMachines(powers)
  if (reason === undefined) return
  throw new VmmError('ERR_VM_UNAVAILABLE', `expected a machine of its own for this capsule: ${reason}`)
}

/** Finds out once how machines are held here; again when none can be, or that could not be found out. */
function createProbe(components: MachinesComponents, guest: GuestFiles): () => Promise<MachineReport> {
  const { powers, clock } = components
  const cache = createProbeCache(components)
  let probing: Promise<MachineReport> | undefined
  return async () => {
    for (const path of [guest.kernel, guest.initrd]) {
      if ((await powers.resolvePath(path)) !== undefined) continue
      throw new VmmError('ERR_VM_UNAVAILABLE', `expected the guest of microVMs at ${path}, got none`, {
        detail: [
          'elastos guest use DID: one that somebody publishes',
          'elastos guest build ./guest, then elastos guest use ./guest: one of your own'
        ]
      })
    }
    const asked = (probing ??= probeMachines({ powers, clock, cache }, guest))
    let report: MachineReport | undefined
    try {
      report = await asked
      return report
    } finally {
      // What was lacking may be mended by now.
      if ((report === undefined || report.tier === 'none') && probing === asked) probing = undefined
    }
  }
}

/** Puts root images where machines can open them, each by one writer at a time, and returns their paths. */
function createImageShelf({
  paths,
  powers,
  clock
}: Pick<MachinesComponents, 'paths' | 'powers' | 'clock'>): (bytes: Uint8Array) => Promise<string> {
  const placing = new Map<string, Promise<void>>()
  let cleaned: Promise<void> | undefined
  const place = async (image: string, digest: string, bytes: Uint8Array): Promise<void> => {
    // What lies there may have been changed since it was written.
    if ((await powers.hashFile(image)) !== digest) await writeWhole(image, bytes)
    await keepUsed(image, { filesMax: IMAGES_KEPT_MAX, nowMs: clock.nowMs() })
  }
  return async (bytes) => {
    await (cleaned ??= removeUnfinished(paths.machines))
    const digest = createHash('sha256').update(bytes).digest('hex')
    const image = join(paths.machines, `${digest}.erofs`)
    const current = placing.get(digest) ?? place(image, digest, bytes).finally(() => placing.delete(digest))
    placing.set(digest, current)
    await current
    return image
  }
}

/** The last answer of a trial start, in a file: another boot, monitor or guest asks anew. */
function createProbeCache({ files, paths }: Pick<MachinesComponents, 'files' | 'paths'>): ProbeCache {
  const path = join(paths.machines, 'probe.txt')
  return {
    get: async (key) => {
      const [known, answer] = ((await files.read(path, ANSWERS_BYTES_MAX)) ?? '').split('\n')
      return known === key ? answer : undefined
    },
    set: async (key, answer) => {
      await files.replace(path, `${key}\n${answer.slice(0, 1000).replaceAll('\n', ' ')}\n`)
    }
  }
}
