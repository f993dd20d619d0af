import { basename, dirname, isAbsolute, join } from 'node:path'
import { ROOM_CHECK_BYTES_MIN } from './constants.ts'
import { linkStaysInside, printableName } from './entry-name.ts'
import { ContentError } from './errors.ts'
import { fileError } from './files.ts'
import type { FilePowers, FileWriter } from './files.ts'
import type { TreeEvent } from './tree-reader.ts'

/** Where a tree is written, and what may be there. */
export interface WriteTreeInit {
  files: FilePowers
  /** Absolute. */
  output: string
  /** Replace what is there. */
  force: boolean
  /** Distinguishes the temporary neighbours of this output: the CID got. */
  label: string
  onEvent?: ((event: TreeEvent) => void) | undefined
}

/** What was written. */
export interface WrittenTree {
  readonly files: number
  readonly bytes: number
}

/**
 * Checks that an output can be written, before anything is fetched.
 *
 * @throws ContentError `ERR_PATH_INVALID`, `ERR_OUTPUT_EXISTS`, `ERR_PATH_NOT_FOUND`, `ERR_PATH_DENIED`
 */
export async function checkOutput(o: Pick<WriteTreeInit, 'files' | 'output' | 'force'>): Promise<void> {
  const { files, output, force } = o
  if (!isAbsolute(output) || output.includes('\0') || basename(output) === '') {
    throw new ContentError(
      'ERR_PATH_INVALID',
      `expected an absolute output path and got ${printableName(output)}`
    )
  }
  try {
    if ((await files.facts(output)) !== undefined && !force) {
      throw new ContentError('ERR_OUTPUT_EXISTS', `${output} exists already`)
    }
    const parent = await files.realPath(dirname(output))
    if ((await files.facts(parent))?.kind !== 'folder') {
      throw new ContentError('ERR_PATH_NOT_FOUND', `expected a folder at ${dirname(output)}`)
    }
  } catch (thrown) {
    throw fileError(thrown, `cannot write to ${output}`)
  }
}

/**
 * Writes a tree beside `output` and renames it there when it is whole, so that nobody ever sees half of it. A
 * failure leaves nothing behind.
 *
 * Files and folders are created, never opened: what a hostile tree wrote before cannot redirect what comes later.
 * Links come last, and only those that stay inside.
 *
 * @throws ContentError `ERR_PATH_UNSAFE`, `ERR_DISK_FULL`, `ERR_OUTPUT_EXISTS`, `ERR_PATH_DENIED`, and whatever
 *   `events` throws
 */
export async function writeTree(events: AsyncIterable<TreeEvent>, init: WriteTreeInit): Promise<WrittenTree> {
  const { files, output, label, force } = init
  const temporary = join(dirname(output), `.${basename(output).slice(0, 64)}.${label.slice(-16)}.part`)
  try {
    // Only we write there, and only one get at a time: what is there was left by a crash.
    await files.removeTree(temporary)
    const written = await new TreeWriter(temporary, init).write(events)
    await moveInto({ files, temporary, output, force })
    return written
  } catch (thrown) {
    await files.removeTree(temporary).catch(() => undefined)
    throw fileError(thrown, `cannot write ${output}`)
  }
}

class TreeWriter {
  readonly #temporary: string
  readonly #init: WriteTreeInit
  readonly #links: { path: string; target: string }[] = []
  #open: FileWriter | undefined
  #files = 0
  #bytes = 0

  constructor(temporary: string, init: WriteTreeInit) {
    this.#temporary = temporary
    this.#init = init
  }

  async write(events: AsyncIterable<TreeEvent>): Promise<WrittenTree> {
    try {
      for await (const event of events) {
        await this.#take(event)
        this.#init.onEvent?.(event)
      }
    } finally {
      await this.#closeFile()
    }
    for (const { path, target } of this.#links)
      await this.#make(path, async () => {
        await this.#init.files.makeLink(target, path)
      })
    return { files: this.#files, bytes: this.#bytes }
  }

  async #take(event: TreeEvent): Promise<void> {
    if (event.kind === 'data') {
      if (this.#open === undefined) throw new ContentError('ERR_DAG_MALFORMED', 'bytes without a file')
      this.#bytes += event.bytes.length
      await this.#open.write(event.bytes)
      return
    }
    await this.#closeFile()
    const path = join(this.#temporary, ...event.path)
    if (event.kind === 'folder') {
      await this.#make(path, async () => await this.#init.files.makeFolder(path, 0o777))
      return
    }
    this.#files++
    if (event.kind === 'file') {
      await this.#checkRoom(event.bytes)
      await this.#make(path, async () => {
        this.#open = await this.#init.files.openNew(path, 0o666)
      })
    } else this.#addLink(path, event)
  }

  /** A large file that cannot fit is refused before its bytes are fetched. */
  async #checkRoom(bytes: number): Promise<void> {
    if (bytes < ROOM_CHECK_BYTES_MIN) return
    const free = await this.#init.files.freeBytes(dirname(this.#temporary))
    if (bytes <= free) return
    throw new ContentError(
      'ERR_DISK_FULL',
      `expected room for ${bytes} bytes on the disk and ${free} are free`
    )
  }

  #addLink(path: string, { path: names, target }: Extract<TreeEvent, { kind: 'link' }>): void {
    if (names.length === 0 || !linkStaysInside(target, names.length - 1)) {
      const shown = `"${names.map(printableName).join('/')}" to "${printableName(target)}"`
      throw new ContentError('ERR_PATH_UNSAFE', `expected links that stay inside, and ${shown} may lead out`)
    }
    this.#links.push({ path, target })
  }

  /** On a disk that ignores case, two names of the content can be one; the second is refused. */
  async #make(path: string, task: () => Promise<void>): Promise<void> {
    try {
      await task()
    } catch (thrown) {
      const exists =
        typeof thrown === 'object' && thrown !== null && 'code' in thrown && thrown.code === 'EEXIST'
      if (!exists || path === this.#temporary) throw thrown
      const name = printableName(basename(path))
      throw new ContentError('ERR_PATH_UNSAFE', `two entries are the same to this disk: "${name}"`)
    }
  }

  async #closeFile(): Promise<void> {
    const open = this.#open
    this.#open = undefined
    await open?.[Symbol.asyncDispose]()
  }
}

/** Moves what is whole to its place; `force` replaces what is there. */
export async function moveInto(o: {
  files: FilePowers
  temporary: string
  output: string
  force: boolean
}): Promise<void> {
  const { files, temporary, output, force } = o
  const existing = await files.facts(output)
  if (existing !== undefined && !force) {
    throw new ContentError('ERR_OUTPUT_EXISTS', `${output} was made by somebody else meanwhile`)
  }
  if (
    existing?.kind !== 'folder' &&
    (existing === undefined || (await files.facts(temporary))?.kind === 'file')
  ) {
    await files.rename(temporary, output)
    return
  }
  // A rename cannot replace a folder with entries: the old one steps aside first and goes when the new one is there.
  const aside = `${temporary}.old`
  await files.removeTree(aside)
  await files.rename(output, aside)
  try {
    await files.rename(temporary, output)
  } catch (thrown) {
    await files.rename(aside, output)
    throw thrown
  }
  await files.removeTree(aside)
}
