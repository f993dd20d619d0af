import { createHash } from 'node:crypto'
import { basename, join } from 'node:path'
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
import { moduleImageFolder } from './module-image.ts'
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
  /** Its root image, or where it lies: a file named `HASH.erofs` for its SHA-256, which nobody else may change. */
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
/** How long it is believed that the processor holds no machines here. */
const EMULATED_MS_MAX = 10 * 60_000

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
      using held = new DisposableStack()
      held.use(await components.holdGuest?.(request.signal))
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
      const machine = await pool.start({
        ...{ arch, tier, layout, timestampKhz, guest, cpus: 1 },
        limits: {
          memoryMib: GUEST_MIB + Math.ceil(request.memoryBytesMax / MIB),
          cpuSecondsMax: request.cpuSecondsMax + START_CPU_SECONDS
        },
        // Where images lie they are named for what is in them.
        disks: [{ path: image, isReadOnly: true, hash: basename(image, '.erofs') }],
        program: {
          args: request.program,
          ...(request.environment === undefined ? {} : { environment: request.environment }),
          ...(request.terminal === undefined ? {} : { terminal: request.terminal })
        },
        wallMsMax: request.wallMsMax,
        signal: request.signal
      })
      letGoOnceStarted(held.move(), machine)
      return machine
    },
    clean: () => cleanUp(components, pool),
    [Symbol.asyncDispose]: () => pool[Symbol.asyncDispose]()
  }
}

/** Its monitor opens the guest's files some time after it was started. */
function letGoOnceStarted(held: Disposable, machine: Pick<Machine, 'started'>): void {
  const letGo = (): void => held[Symbol.dispose]()
  void machine.started.then(letGo, letGo)
}

async function cleanUp(
  { paths, logger }: Pick<MachinesComponents, 'paths' | 'logger'>,
  pool: MachinePool
): Promise<void> {
  try {
    for (const folder of [paths.machines, moduleImageFolder(paths)]) await removeUnfinished(folder)
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

/**
 * Finds out how machines are held here. That the processor holds them is believed from then on, of the very guest that was seen to
 * start so, and that it does not for a while: a guest that was slow may only have been on a busy machine. What is lacking may be
 * mended at any time.
 */
function createProbe(components: MachinesComponents, guest: GuestFiles): () => Promise<MachineReport> {
  const { powers, clock } = components
  const cache = createProbeCache(components)
  let last: { readonly guest: string; readonly report: Promise<MachineReport>; untilMs: number } | undefined
  return async () => {
    const marks = [await markOf(guest.kernel), await markOf(guest.initrd)].join()
    if (last?.guest === marks && clock.monotonicMs() < last.untilMs) return await last.report
    const asked = { guest: marks, report: probeMachines({ powers, clock, cache }, guest), untilMs: Infinity }
    last = asked
    let report: MachineReport | undefined
    try {
      report = await asked.report
      return report
    } finally {
      if (report?.tier === 'emulated') asked.untilMs = clock.monotonicMs() + EMULATED_MS_MAX
      else if (report?.tier !== 'kvm' && last === asked) last = undefined
    }
  }
}

/** By what one sees that a file of the guest is still the same. @throws VmmError `ERR_VM_UNAVAILABLE` when there is none */
async function markOf(path: string): Promise<string> {
  const mark = await systemTemplatePowers.mark(path)
  if (mark !== undefined) return mark.id
  throw new VmmError('ERR_VM_UNAVAILABLE', `expected the guest of microVMs at ${path}, got none`, {
    detail: [
      'elastos guest use DID: one that somebody publishes',
      'elastos guest build ./guest, then elastos guest use ./guest: one of your own'
    ]
  })
}

/** Puts root images where machines can open them, each by one writer at a time, and returns their paths. */
function createImageShelf({
  paths,
  powers,
  clock
}: Pick<MachinesComponents, 'paths' | 'powers' | 'clock'>): (bytes: Uint8Array) => Promise<string> {
  const placing = new Map<string, Promise<void>>()
  const place = async (image: string, digest: string, bytes: Uint8Array): Promise<void> => {
    // What lies there may have been changed since it was written.
    if ((await powers.hashFile(image)) !== digest) await writeWhole(image, bytes)
    await keepUsed(image, { filesMax: IMAGES_KEPT_MAX, nowMs: clock.nowMs() })
  }
  return async (bytes) => {
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
