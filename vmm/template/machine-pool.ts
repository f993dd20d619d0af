import { errorCode, errorMessage } from '#contracts'
import {
  VM_SPARE_MAX,
  VM_IMAGE_TEMPLATES_MAX,
  VM_WARM_AGAIN_MS,
  VM_WARM_ALIKE_MAX,
  VM_WARM_FREE_MIB_MIN,
  VM_WARM_MAX,
  VM_WARM_MS_MAX
} from '../constants.ts'
import { VmmError } from '../errors.ts'
import {
  checkMachine,
  runMachine,
  startMachine,
  type Machine,
  type MachineInit
} from '../machine/start-machine.ts'
import type { GivenDisk } from './given-disk.ts'
import { createHandover, type Handover } from './handover.ts'
import { createRestorer, kindOf, type Restore, type Restorer } from './restorer.ts'
import { createTemplates, type Template, type Templates, type TemplatesComponents } from './templates.ts'
import type { MachineShape } from './take-template.ts'
import type { WaitingMachine } from './waiting-machine.ts'

/** What {@link createMachinePool} works with. */
export type MachinePoolComponents = TemplatesComponents

/** Where machines of a pool come from. */
export interface MachinePoolInit {
  /** A folder of the pool's own; its templates stay there for the next time. */
  readonly folder: string
  /** Machines that wait for a program; three when absent. */
  readonly warmMax?: number
  /** Monitors that wait, with nothing restored in them; one when absent, and at most. */
  readonly spareMax?: 0 | 1
}

/**
 * Machines that start fast: from templates, one of an image's own where that was asked for before, and one of the kind that was last
 * asked for waits already, two where two were asked for within a minute. Where none waits, a monitor does in which one is restored. Of emulated machines alone: one that the processor holds starts from its kernel, as a template's memory would be shared through its wall.
 */
export interface MachinePool extends AsyncDisposable {
  /** Emulated machines that wait for a program. */
  readonly warmCount: number
  /** Monitors that wait, with nothing restored in them. */
  readonly spareCount: number
  /**
   * Starts a machine as {@link startMachine} does, an emulated one only sooner. The first of its kind takes as long, and makes the
   * template.
   *
   * @throws VmmError `ERR_VM_PLAN`; the reason of its signal
   */
  start(init: MachineInit): Promise<Machine>
  /** Resolves when nothing is being prepared. A monitor for the next machine is started some 100 ms later. */
  settled(): Promise<void>
  /** Removes what one that was killed left half made in its folder; nothing happens where there is none. */
  clean(): Promise<void>
}

interface Warm {
  readonly kind: string
  readonly machine: WaitingMachine
  readonly idle: Disposable
}

/** The image of a machine that was asked for. */
interface AskedImage {
  /** Of the template in which it is mounted. */
  readonly key: string
  readonly hash: string
  readonly path: string
}

const MEMORY_INFO_BYTES_MAX = 4096
/** After so many rehearsals in a row that went wrong, the next machine waits without: one alone may have met a bad moment. */
const REHEARSALS_FAILED_MAX = 2

/** A pool of machines. Nothing is prepared before the first one was asked for. */
export function createMachinePool(components: MachinePoolComponents, init: MachinePoolInit): MachinePool {
  return new TemplatePool(components, init)
}

class TemplatePool implements MachinePool {
  readonly #components: MachinePoolComponents
  readonly #handover: Handover
  readonly #templates: Templates
  readonly #restorer: Restorer
  readonly #warmMax: number
  readonly #spareMax: number
  readonly #disposed = new AbortController()
  /** How many machines of a template in a row did not rehearse as they should. */
  readonly #unrehearsed = new Map<string, number>()
  #warm: Warm[] = []
  /** Kinds of the last machines that were asked for, and when. */
  #asked: { readonly kind: string; readonly atMs: number }[] = []
  /** Templates of the last images that were asked for, whether they were made or not. */
  #images: readonly string[] = []
  /** How many machines were asked for. */
  #asks = 0
  /** One thing after the other: what is prepared must not hold up what is asked for. */
  #preparing: Promise<void> = Promise.resolve()

  constructor(components: MachinePoolComponents, init: MachinePoolInit) {
    const { folder, warmMax = VM_WARM_MAX, spareMax = VM_SPARE_MAX } = init
    this.#components = components
    this.#handover = createHandover(components, folder)
    this.#templates = createTemplates(
      components,
      `${folder}/templates`,
      (key) => void this.#restorer.spare.drop((kind) => kind.startsWith(key))
    )
    const parts = { ...components, handover: this.#handover, templates: this.#templates }
    this.#restorer = createRestorer(parts, this.#disposed.signal)
    this.#warmMax = warmMax
    this.#spareMax = spareMax
  }

  get warmCount(): number {
    return this.#warm.length
  }

  get spareCount(): number {
    return this.#restorer.spare.count
  }

  async clean(): Promise<void> {
    await this.#templates.clean()
    if ((await this.#handover.isThere()) && !this.#disposed.signal.aborted) await this.#handover.open()
  }

  async start(init: MachineInit): Promise<Machine> {
    checkMachine(init)
    this.#disposed.signal.throwIfAborted()
    this.#asks += 1
    const shape = shapeOf(init)
    const key = shape === undefined ? undefined : await this.#templates.keyOf(shape)
    if (shape === undefined || key === undefined) return startMachine(this.#components, init)
    this.#noteAsked(kindOf(key, shape))
    const image = await this.#imageOf(init, shape)
    for (const start of this.#starts(key, image?.key, shape)) {
      const machine = await this.#begin(start, init)
      if (machine === undefined) continue
      void machine.started.then(
        () => {
          start.attempt.worked()
          this.#prepare(key, shape, image)
        },
        (thrown: unknown) => this.#learn(start, thrown)
      )
      return machine
    }
    return startMachine(this.#components, init)
  }

  async settled(): Promise<void> {
    for (let last; last !== this.#preparing;) {
      last = this.#preparing
      await last
    }
    await this.#restorer.spare.settled()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#disposed.abort(new VmmError('ERR_VM_STOPPED', 'the machines of this node have ended'))
    await this.#preparing
    await this.#restorer[Symbol.asyncDispose]()
    await Promise.all(this.#warm.map((one) => this.#end(one)))
  }

  /** Where it may start, the best first: one that waits, where its image is mounted already, where a guest waits for any image. */
  #starts(key: string, imageKey: string | undefined, shape: MachineShape): Restore[] {
    const hasWarm = this.#warm.some(({ kind }) => kind === kindOf(key, shape))
    const any = this.#startOf(key, shape)
    if (hasWarm || imageKey === undefined) return [any]
    const attempt = this.#templates.attempt(imageKey)
    return [{ key: imageKey, shape, attempt, template: () => this.#templates.known(imageKey) }, any]
  }

  #startOf(key: string, shape: MachineShape): Restore {
    const { signal } = this.#disposed
    const template = (): Promise<Template | undefined> => this.#templates.provide(key, { shape, signal })
    return { key, shape, attempt: this.#templates.attempt(key), template }
  }

  async #imageOf({ disks: [disk] }: MachineInit, shape: MachineShape): Promise<AskedImage | undefined> {
    if (disk?.hash === undefined) return undefined
    const key = await this.#templates.keyOf(shape, disk.hash)
    return key === undefined ? undefined : { key, hash: disk.hash, path: disk.path }
  }

  /** A machine that runs from its template; `undefined` when there is no such thing here. */
  async #begin(start: Restore, init: MachineInit): Promise<Machine | undefined> {
    const { key, shape, attempt } = start
    const warm = this.#takeWarm(kindOf(key, shape))
    const waiting = warm ?? (await this.#restorer.restore(start, init.signal))
    if (waiting === undefined) return undefined
    const { logger, files } = this.#components
    const image = init.disks[0]?.path ?? ''
    try {
      init.signal.throwIfAborted()
      await this.#handover.give(waiting.disk, image)
      await waiting.goOn()
      // Nobody listened to it meanwhile.
      init.signal.throwIfAborted()
      logger.info('machine goes on from its template', {
        key,
        wasWarm: warm !== undefined,
        wasSpare: waiting.wasSpare
      })
      return runMachine(this.#components, init, { monitor: waiting.monitor, isUp: true })
    } catch (thrown) {
      await waiting.monitor.end()
      init.signal.throwIfAborted()
      // A template is no worse for an image that is not there.
      if ((await files.mark(image)) !== undefined) await attempt.failed(errorMessage(thrown))
      return undefined
    }
  }

  #takeWarm(kind: string): WaitingMachine | undefined {
    const found = this.#warm.find((one) => one.kind === kind)
    if (found === undefined) return undefined
    this.#forget(found)
    return found.machine
  }

  #prepare(key: string, shape: MachineShape, image: AskedImage | undefined): void {
    const { logger } = this.#components
    this.#preparing = this.#preparing.then(() =>
      this.#prepareNow(key, shape)
        .then(() => (image === undefined ? undefined : this.#prepareImage(key, shape, image)))
        .then(() => this.#prepareSpare(key, shape, image))
        .catch((thrown: unknown) => {
          if (!this.#disposed.signal.aborted)
            logger.warn('no machine waits', { key, error: errorMessage(thrown) })
        })
    )
  }

  /** Of an image that was asked for before, a template in which it is mounted. */
  async #prepareImage(key: string, shape: MachineShape, image: AskedImage): Promise<void> {
    const { hash, path } = image
    const isAgain = this.#images.includes(image.key)
    this.#images = [...this.#images.filter((one) => one !== image.key), image.key].slice(
      -VM_IMAGE_TEMPLATES_MAX
    )
    const { signal } = this.#disposed
    if (!isAgain || !this.#templates.lacks(image.key)) return
    if (signal.aborted || !(await this.#hasMemory(shape))) return
    const base = await this.#templates.provide(key, { shape, signal })
    // It may be gone by now: then it is no longer wanted so much.
    if (base?.canMount !== true || (await this.#components.powers.hashFile(path)) !== hash) return
    const give = (disk: GivenDisk): Promise<void> => this.#handover.give(disk, path)
    const mounted = { hash, handover: this.#handover.folder, give }
    await this.#templates.provide(image.key, { shape, signal, image: mounted })
  }

  /** Where the next machine is restored when none of its kind waits, a monitor does. */
  async #prepareSpare(key: string, shape: MachineShape, image: AskedImage | undefined): Promise<void> {
    if (this.#spareMax === 0 || this.#disposed.signal.aborted) return
    const isMounted = image !== undefined && (await this.#templates.known(image.key)) !== undefined
    const wanted = isMounted ? image.key : key
    const kind = kindOf(wanted, shape)
    const isWanted = async (): Promise<boolean> =>
      !this.#warm.some((one) => one.kind === kind) && (await this.#hasMemory(shape))
    this.#restorer.planSpare({ key: wanted, shape, isWanted })
  }

  async #prepareNow(key: string, shape: MachineShape): Promise<void> {
    const kind = kindOf(key, shape)
    const isAlike = (one: Warm): boolean => one.kind === kind
    const asks = this.#asks
    // however many of them end again at once, as where memory is shorter than it looks
    for (let made = 0; made < VM_WARM_ALIKE_MAX; made++) {
      if (this.#disposed.signal.aborted || this.#warm.filter(isAlike).length >= this.#wanted(kind, asks))
        return
      if (!(await this.#hasMemory(shape))) return
      const others = this.#warm.filter((one) => !isAlike(one))
      for (const one of others.slice(0, Math.max(0, this.#warm.length - this.#warmMax + 1))) {
        await this.#end(one)
      }
      if (!(await this.#prepareOne(key, shape))) return
    }
  }

  /**
   * How many of a kind are to wait: the next may be asked for before the one that was taken has a successor. While more are asked for
   * one is enough: to make it takes the processor from them.
   */
  #wanted(kind: string, asks: number): number {
    if (asks !== this.#asks) return Math.min(1, this.#warmMax)
    const sinceMs = this.#components.clock.monotonicMs() - VM_WARM_AGAIN_MS
    const asked = this.#asked.filter((one) => one.kind === kind && one.atMs > sinceMs).length
    return Math.min(Math.max(asked, 1), VM_WARM_ALIKE_MAX, this.#warmMax)
  }

  #noteAsked(kind: string): void {
    const atMs = this.#components.clock.monotonicMs()
    this.#asked = [...this.#asked, { kind, atMs }].slice(-VM_WARM_MAX * VM_WARM_ALIKE_MAX)
  }

  async #prepareOne(key: string, shape: MachineShape): Promise<boolean> {
    const kind = kindOf(key, shape)
    const machine = await this.#restorer.restore(this.#startOf(key, shape))
    if (machine === undefined) return false
    const hasRehearsed = await this.#rehearse(key, machine)
    const idle = this.#components.clock.after(VM_WARM_MS_MAX, () => void this.#end(warm))
    const warm: Warm = { kind, machine, idle }
    this.#warm.push(warm)
    this.#components.logger.info('a machine waits', { key, hasRehearsed })
    void machine.monitor.ended.then(() => (this.#warm.includes(warm) ? this.#end(warm) : undefined))
    return true
  }

  /** Its program starts sooner when another one did before: what is emulated is translated by then. */
  async #rehearse(key: string, machine: WaitingMachine): Promise<boolean> {
    const { signal } = this.#disposed
    const failures = this.#unrehearsed.get(key) ?? 0
    if (!machine.canRehearse || failures >= REHEARSALS_FAILED_MAX) return false
    const stop = (): void => void machine.monitor.end()
    signal.addEventListener('abort', stop, { once: true })
    try {
      signal.throwIfAborted()
      await this.#handover.give(machine.disk, this.#handover.rehearsal)
      await machine.rehearse()
      this.#unrehearsed.delete(key)
      return true
    } catch (thrown) {
      this.#unrehearsed.set(key, failures + 1)
      await machine.monitor.end()
      throw thrown
    } finally {
      signal.removeEventListener('abort', stop)
    }
  }

  /** One that did not come so far as to run its program is no good start for others. */
  async #learn({ key, attempt }: Restore, thrown: unknown): Promise<void> {
    const code = errorCode(thrown)
    if (code !== 'ERR_VM_START' && code !== 'ERR_VM_CRASHED') return
    await attempt.failed(errorMessage(thrown))
    await Promise.all(this.#warm.filter((one) => one.kind.startsWith(key)).map((one) => this.#end(one)))
  }

  async #hasMemory({ limits }: MachineShape): Promise<boolean> {
    const text = await this.#components.powers.readText('/proc/meminfo', MEMORY_INFO_BYTES_MAX)
    const kibibytes = Number(/^MemAvailable:\s+(\d+) kB$/m.exec(text ?? '')?.[1])
    return kibibytes / 1024 >= VM_WARM_FREE_MIB_MIN + limits.memoryMib
  }

  async #end(warm: Warm): Promise<void> {
    this.#forget(warm)
    await warm.machine.monitor.end()
  }

  #forget(warm: Warm): void {
    warm.idle[Symbol.dispose]()
    this.#warm = this.#warm.filter((one) => one !== warm)
  }
}

/** What a machine is before anything of its program; `undefined` for one that no template can be taken of. */
function shapeOf({
  layout,
  arch,
  tier,
  cpus,
  limits,
  guest,
  disks,
  timestampKhz
}: MachineInit): MachineShape | undefined {
  if (disks.length !== 1 || disks[0]?.isReadOnly !== true) return undefined
  // Its monitor has the template's memory open for writing: one that was broken out of could change what others go on from, and
  // a machine that the processor holds is a wall between them.
  if (tier === 'kvm') return undefined
  return { layout, arch, tier, cpus, limits, guest, timestampKhz }
}
