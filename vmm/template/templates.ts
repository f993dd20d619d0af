import { createHash } from 'node:crypto'
import { errorMessage, type Logger, type Random } from '#contracts'
import { VM_IMAGE_TEMPLATES_MAX, VM_TEMPLATES_BYTES_MAX, VM_TEMPLATES_MAX } from '../constants.ts'
import { VmmError } from '../errors.ts'
import { machineArguments } from '../machine/monitor.ts'
import type { VmmPowers } from '../powers.ts'
import type { TemplatePowers } from './powers.ts'
import {
  takeTemplate,
  type MachineShape,
  type TemplateImage,
  type TemplateMachineComponents
} from './take-template.ts'

/** What {@link createTemplates} works with. */
export interface TemplatesComponents extends TemplateMachineComponents {
  readonly powers: Pick<VmmPowers, 'spawnMonitor' | 'killProcess' | 'hashFile' | 'readText'>
  readonly files: TemplatePowers
  readonly random: Random
  readonly logger: Logger
}

/** A template that is whole. */
export interface Template {
  readonly memory: string
  readonly state: string
  /** By what one sees that nobody changed it. */
  readonly mark: string
  /** Whether its guest can rehearse the start of a program. */
  readonly canRehearse: boolean
  /** Whether a template with an image can be taken of its guest. */
  readonly canMount: boolean
  /** Whether it is one with an image. */
  readonly hasImage: boolean
}

/** What a template is to be of. */
export interface TemplateInit {
  readonly shape: MachineShape
  /** What its guest has mounted; nothing when absent. */
  readonly image?: TemplateImage
  readonly signal: AbortSignal
}

/** A template, or one that is about to be. */
interface Kept {
  readonly name: string | undefined
  readonly ofImage: boolean
  readonly usedMs: number
  readonly bytes: number
}

type TemplateFiles = Pick<Template, 'memory' | 'state'>

/** One machine that is to go on from a template, and what became of it. */
export interface TemplateAttempt {
  /**
   * It did not go on; after two in a row the template is done without from now on. One that began before another failed says
   * nothing new: the same moment may have been bad for both.
   */
  failed(reason: string): Promise<void>
  /** It did. */
  worked(): void
}

/** Templates of machines, in a folder of this device. */
export interface Templates {
  /**
   * Names all that a template of such a machine depends on; `undefined` when that cannot be found out.
   *
   * @param imageHash - of the image that is mounted in it
   */
  keyOf(shape: MachineShape, imageHash?: string): Promise<string | undefined>
  /**
   * The template of this key; it is made when there is none. `undefined` when it cannot be.
   *
   * @throws the reason of `signal`
   */
  provide(key: string, init: TemplateInit): Promise<Template | undefined>
  /** The template of this key if it was seen to be whole already; none is made, and none is read to find that out. */
  known(key: string): Promise<Template | undefined>
  /** Whether one of this key could be made: it is neither known already nor done without. */
  lacks(key: string): boolean
  /** Notes that a machine is to go on from the template of this key. */
  attempt(key: string): TemplateAttempt
  /** Removes what was being made when its node was killed. */
  clean(): Promise<void>
}

/** Another layout of a template's files, or another way to make one, is another version. */
const VERSION = 4
const DESCRIPTION_BYTES_MAX = 4096
const MIB = 1024 * 1024
/** A host that is busy for a moment is no reason to do without a template; machines that fail one after the other are. */
const FAILURES_MAX = 2
/** As the description of a template says it. */
const CAN_REHEARSE = '"canRehearse":true'
const CAN_MOUNT = '"canMount":true'
const HAS_IMAGE = '"hasImage":true'
/** What {@link VmmPowers.hashFile} makes, as a name of a folder. */
const KEY = /^[0-9a-f]{64}$/

/**
 * Templates in `folder`. What cannot be kept there, or is found changed, is only slower: a machine then starts from its kernel.
 *
 * @param onGone - called with the key of a template that goes
 * @see docs/ARCHITECTURE.md, `vmm`
 */
export function createTemplates(
  components: TemplatesComponents,
  folder: string,
  onGone: (key: string) => void
): Templates {
  return new FolderTemplates(components, folder, onGone)
}

class FolderTemplates implements Templates {
  readonly #components: TemplatesComponents
  readonly #folder: string
  readonly #onGone: (key: string) => void
  readonly #hashes = new Map<string, { readonly mark: string; readonly hash: string | undefined }>()
  /** Templates that were found whole, and by what one sees that nobody changed them since. */
  readonly #whole = new Map<string, string>()
  /** Machines of each template that failed one after the other. */
  readonly #failures = new Map<string, number>()
  readonly #dropped = new Set<string>()
  readonly #making = new Map<string, Promise<Template | undefined>>()
  #cleaned: Promise<void> | undefined

  constructor(components: TemplatesComponents, folder: string, onGone: (key: string) => void) {
    this.#components = components
    this.#folder = folder
    this.#onGone = onGone
  }

  async keyOf(shape: MachineShape, imageHash?: string): Promise<string | undefined> {
    const { layout, guest } = shape
    const hashes = await Promise.all(
      [layout.monitor, guest.kernel, guest.initrd].map((path) => this.#hashOf(path))
    )
    if (hashes.includes(undefined)) return undefined
    const args = machineArguments({ ...shape, disks: [], template: { memory: '', state: '' } })
    return createHash('sha256')
      .update(JSON.stringify([VERSION, hashes, args, imageHash]))
      .digest('hex')
  }

  provide(key: string, init: TemplateInit): Promise<Template | undefined> {
    const current = this.#making.get(key) ?? this.#provide(key, init).finally(() => this.#making.delete(key))
    this.#making.set(key, current)
    return current
  }

  async known(key: string): Promise<Template | undefined> {
    return this.#whole.has(key) ? await this.#find(key) : undefined
  }

  lacks(key: string): boolean {
    return !this.#whole.has(key) && !this.#dropped.has(key)
  }

  attempt(key: string): TemplateAttempt {
    const before = this.#failures.get(key) ?? 0
    return {
      failed: (reason) => this.#failed(key, reason, before),
      worked: () => this.#failures.delete(key)
    }
  }

  clean(): Promise<void> {
    return (this.#cleaned ??= this.#clean())
  }

  async #failed(key: string, reason: string, before: number): Promise<void> {
    const { logger } = this.#components
    const known = this.#failures.get(key) ?? 0
    if (known <= before) this.#failures.set(key, known + 1)
    if (known > before || known + 1 < FAILURES_MAX) {
      logger.info('a machine did not go on from its template', { key, reason })
      return
    }
    if (!this.#dropped.has(key)) {
      this.#dropped.add(key)
      logger.warn('machines start without their template', { key, reason })
    }
    await this.#drop(key)
  }

  async #provide(key: string, init: TemplateInit): Promise<Template | undefined> {
    if (this.#dropped.has(key)) return undefined
    const attempt = this.attempt(key)
    try {
      await this.clean()
      await this.#components.files.makeFolder(this.#folder)
      const found = await this.#find(key)
      if (found !== undefined) return found
      await this.#make(key, init)
      return await this.#find(key)
    } catch (thrown) {
      init.signal.throwIfAborted()
      await attempt.failed(errorMessage(thrown))
      return undefined
    }
  }

  /** The template when it is whole; one that is not is removed. */
  async #find(key: string): Promise<Template | undefined> {
    const { files, clock, logger } = this.#components
    const path = this.#pathOf(key)
    const description = await files.read(`${path}/template.json`, DESCRIPTION_BYTES_MAX)
    if (description === undefined) return undefined
    const said = Buffer.from(description).toString('utf8')
    const greeting = { canRehearse: said.includes(CAN_REHEARSE), canMount: said.includes(CAN_MOUNT) }
    const template = { ...templateAt(path), ...greeting, hasImage: said.includes(HAS_IMAGE) }
    const mark = await this.#markOf(template)
    if (mark === undefined || this.#whole.get(key) !== mark) {
      if (mark === undefined || (await this.#describe(template)) !== said) {
        logger.warn('a template of machines was not as it was made', { key })
        await this.#drop(key)
        return undefined
      }
      this.#whole.set(key, mark)
    }
    await files.touch(`${path}/template.json`, clock.nowMs())
    return { ...template, mark }
  }

  async #make(key: string, { shape, image, signal }: TemplateInit): Promise<void> {
    const { files, random, clock, logger } = this.#components
    const startedMs = clock.monotonicMs()
    const aside = `${this.#pathOf(key)}.${Buffer.from(random.bytes(8)).toString('hex')}.new`
    try {
      await files.makeFolder(aside)
      const template = templateAt(aside)
      await files.makeSparse(template.memory, shape.limits.memoryMib * MIB)
      await using state = await files.listen(aside, 'socket')
      const target = { memory: template.memory, state, image, signal }
      const { state: bytes, ...greeting } = await takeTemplate(this.#components, shape, target)
      await files.write(template.state, bytes)
      const mark = await this.#markOf(template)
      const hasImage = image !== undefined
      const description = await this.#describe({ ...template, ...greeting, hasImage })
      await files.write(`${aside}/template.json`, Buffer.from(description))
      await this.#makeRoom((await files.mark(template.memory))?.allocatedBytes ?? 0, hasImage)
      // Of a guest that was replaced meanwhile nobody can say which one this is a template of.
      if ((await this.keyOf(shape, image?.hash)) !== key) return
      await files.rename(aside, this.#pathOf(key))
      if (mark !== undefined) this.#whole.set(key, mark)
      logger.info('template of machines made', { key, ms: clock.monotonicMs() - startedMs })
    } finally {
      await this.#remove(aside)
    }
  }

  /**
   * Removes templates that were not used for longest, so that one more fits. One of an image takes the place of no other kind: without
   * the template of its kind, a machine of any image would start from its kernel.
   */
  async #makeRoom(bytes: number, hasImage: boolean): Promise<void> {
    const { files } = this.#components
    const names = (await files.list(this.#folder)).filter((name) => KEY.test(name))
    const kept = await Promise.all(
      names.map(async (name): Promise<Kept> => {
        const path = this.#pathOf(name)
        const [used, memory] = [await files.mark(`${path}/template.json`), await files.mark(`${path}/memory`)]
        const said = await files.read(`${path}/template.json`, DESCRIPTION_BYTES_MAX)
        const ofImage = said !== undefined && Buffer.from(said).includes(HAS_IMAGE)
        return { name, ofImage, usedMs: used?.modifiedMs ?? 0, bytes: memory?.allocatedBytes ?? 0 }
      })
    )
    const made: Kept = { name: undefined, ofImage: hasImage, usedMs: Infinity, bytes }
    const excess = excessOf([...kept, made])
    if (excess.includes(made)) throw new VmmError('ERR_VM_START', 'expected room for one more template')
    for (const { name } of excess) if (name !== undefined) await this.#drop(name)
  }

  /** What is kept beside a template to see that it is whole. */
  async #describe(template: Omit<Template, 'mark'>): Promise<string> {
    const { files } = this.#components
    const { memory, state, canRehearse, canMount, hasImage } = template
    const [memoryDigest, stateDigest] = [await files.digest(memory), await files.digest(state)]
    const digests = { memory: memoryDigest, state: stateDigest }
    return JSON.stringify({ version: VERSION, ...digests, canRehearse, canMount, hasImage })
  }

  async #markOf({ memory, state }: TemplateFiles): Promise<string | undefined> {
    const { files } = this.#components
    const marks = await Promise.all([memory, state].map((path) => files.mark(path)))
    return marks.includes(undefined) ? undefined : marks.map((mark) => mark?.id).join()
  }

  /** The hash of a file, found out again when that was touched. */
  async #hashOf(path: string): Promise<string | undefined> {
    const { files, powers } = this.#components
    const mark = (await files.mark(path))?.id
    const known = this.#hashes.get(path)
    if (mark === undefined) return undefined
    if (known?.mark === mark) return known.hash
    const hash = await powers.hashFile(path)
    this.#hashes.set(path, { mark, hash })
    return hash
  }

  async #clean(): Promise<void> {
    const { files } = this.#components
    for (const name of await files.list(this.#folder)) {
      if (name.endsWith('.new')) await this.#remove(`${this.#folder}/${name}`)
    }
  }

  async #drop(key: string): Promise<void> {
    this.#whole.delete(key)
    this.#onGone(key)
    await this.#remove(this.#pathOf(key))
  }

  async #remove(path: string): Promise<void> {
    await this.#components.files.remove(path).catch(() => undefined)
  }

  #pathOf(key: string): string {
    return `${this.#folder}/${key}`
  }
}

function templateAt(path: string): TemplateFiles {
  return { memory: `${path}/memory`, state: `${path}/state` }
}

/** What does not fit: of each sort the ones that were not used for longest, and those of images before the others. */
function excessOf(all: readonly Kept[]): readonly Kept[] {
  const recent = all.toSorted((a, b) => b.usedMs - a.usedMs)
  const [plain, ofImages] = [recent.filter((one) => !one.ofImage), recent.filter((one) => one.ofImage)]
  const inOrder = [...plain.slice(0, VM_TEMPLATES_MAX), ...ofImages.slice(0, VM_IMAGE_TEMPLATES_MAX)]
  let total = 0
  const kept = new Set<Kept>()
  for (const one of inOrder) {
    if (total + one.bytes > VM_TEMPLATES_BYTES_MAX) continue
    total += one.bytes
    kept.add(one)
  }
  return all.filter((one) => !kept.has(one))
}
