import { isAbsolute, join, sep } from 'node:path'
import { ADD_BLOCKS_PARALLEL, ADD_FILES_PARALLEL, CHUNK_BYTES, DEPTH_MAX } from './constants.ts'
import { linkStaysInside, nameProblem, printableName } from './entry-name.ts'
import { ContentError } from './errors.ts'
import { fileError, unclearedBytes } from './files.ts'
import { importFile, importFolder, importLink } from './import-dag.ts'
import { mapAhead } from './parallel.ts'
import type { BlockStore } from './block-store.ts'
import type { FileFacts, FilePowers, FileReader } from './files.ts'
import type { Imported, NamedImport } from './import-dag.ts'

/** Why an entry of an added folder was left out. */
export type SkipReason =
  /** Its name begins with a dot, and `hidden` was not given. */
  | 'hidden'
  /** A symbolic link to somewhere outside the added folder, or one that could lead there. */
  | 'link-outside'
  /** A device, socket or pipe. */
  | 'special'
  /** A folder of this node itself: its keys, its blocks. */
  | 'protected'
  /** A name that could not be written safely on another machine. */
  | 'unsafe-name'

/** An entry that was left out. */
export interface Skipped {
  /** Below the added folder, with `/`; safe to print. */
  readonly path: string
  readonly reason: SkipReason
}

/** How far an add has come. */
export interface AddProgress {
  /** Bytes of files read. */
  readonly bytes: number
  /** Files and links taken in. */
  readonly files: number
  /** The file begun last, below the added path; safe to print. */
  readonly path: string
}

/** What a local tree is added with. */
export interface ImportTreeInit {
  files: FilePowers
  store: BlockStore
  /** Absolute, every link resolved: left out wherever they come, and nothing below them is added. */
  protectedFolders: readonly string[]
  hidden: boolean
  entriesMax: number
  signal: AbortSignal
  onProgress?: ((progress: AddProgress) => void) | undefined
}

/** What was added. */
export interface ImportedTree extends Imported {
  readonly bytes: number
  readonly files: number
  readonly skipped: readonly Skipped[]
}

/** Left-out entries that are reported one by one; the rest is only left out. */
const SKIPPED_MAX = 1000

/**
 * Writes a file or a folder of the local disk as UnixFS, sorted by name, so that the same files give the same
 * root.
 *
 * The path itself may be a link (the user named it); below it none is followed: one that surely stays inside the
 * folder is stored as a link, every other is left out and listed. Each file is opened without following links,
 * and then must still be the file that its path inside the folder names.
 *
 * @param path - absolute
 * @throws ContentError `ERR_PATH_INVALID`, `ERR_PATH_NOT_FOUND`, `ERR_PATH_DENIED`, `ERR_PATH_SPECIAL`,
 *   `ERR_PATH_CHANGED`, `ERR_PATH_OUTSIDE`, `ERR_CONTENT_TOO_LARGE`, `ERR_DISK_FULL`, `ERR_STORE_IO`
 */
export async function importTree(path: string, init: ImportTreeInit): Promise<ImportedTree> {
  const { files } = init
  if (!isAbsolute(path) || path.includes('\0')) {
    throw new ContentError('ERR_PATH_INVALID', `expected an absolute path and got ${printableName(path)}`)
  }
  let root: string
  let facts: FileFacts | undefined
  try {
    root = await files.realPath(path)
    facts = await files.facts(root)
  } catch (thrown) {
    throw fileError(thrown, `cannot read ${path}`)
  }
  if (facts === undefined) throw new ContentError('ERR_PATH_NOT_FOUND', `nothing is at ${path}`)
  if (facts.kind === 'special' || facts.kind === 'link') {
    throw new ContentError('ERR_PATH_SPECIAL', `expected a file or folder and ${path} is neither`)
  }
  if (init.protectedFolders.some((folder) => root === folder || root.startsWith(folder + sep))) {
    throw new ContentError('ERR_PATH_DENIED', `${path} belongs to this node itself and is never shared`)
  }
  const walk = new TreeImport(root, init)
  const imported = facts.kind === 'file' ? await walk.file(root, []) : await walk.folder(root, [])
  return { ...imported, ...walk.totals() }
}

interface ListedName {
  readonly name: string
  /** Names from the added folder to this one. */
  readonly names: readonly string[]
}

class TreeImport {
  readonly #root: string
  readonly #init: ImportTreeInit
  /** The first failure ends what runs beside it. */
  readonly #stop = new AbortController()
  readonly #signal: AbortSignal
  readonly #skipped: Skipped[] = []
  readonly #leaves = new LeafMemory()
  #bytes = 0
  #files = 0
  #entries = 0

  constructor(root: string, init: ImportTreeInit) {
    this.#root = root
    this.#init = init
    this.#signal = AbortSignal.any([init.signal, this.#stop.signal])
  }

  totals(): { bytes: number; files: number; skipped: readonly Skipped[] } {
    return { bytes: this.#bytes, files: this.#files, skipped: this.#skipped }
  }

  async folder(path: string, names: readonly string[]): Promise<Imported> {
    if (names.length > DEPTH_MAX) {
      throw new ContentError('ERR_CONTENT_TOO_LARGE', `${path} is more than ${DEPTH_MAX} folders deep`)
    }
    const entries: NamedImport[] = []
    const listed = await this.#list(path, names)
    for await (const entry of mapAhead(
      listed,
      ADD_FILES_PARALLEL,
      async (item) => await this.#leaf(path, item)
    )) {
      const { name, names: below, imported } = entry
      const done = imported === 'folder' ? await this.folder(join(path, name), below) : imported
      if (done !== undefined) entries.push({ name, ...done })
    }
    return await importFolder(entries, this.#init.store)
  }

  async file(path: string, names: readonly string[]): Promise<Imported> {
    this.#files++
    this.#report(names)
    try {
      await using reader = await this.#init.files.openForRead(path)
      await this.#checkPlace(path, reader.facts)
      return await importFile(this.#chunks(reader, names), this.#init.store, (bytes) =>
        this.#leaves.giveBack(bytes)
      )
    } catch (thrown) {
      throw fileError(thrown, `cannot add ${printablePath(names) || path}`)
    }
  }

  async #leaf(
    folder: string,
    item: ListedName
  ): Promise<ListedName & { imported: Imported | 'folder' | undefined }> {
    try {
      return { ...item, imported: await this.#entry(join(folder, item.name), item.names) }
    } catch (thrown) {
      this.#stop.abort(thrown)
      throw thrown
    }
  }

  /** Everything but folders, which are walked one after the other so that few files are open at a time. */
  async #entry(path: string, names: readonly string[]): Promise<Imported | 'folder' | undefined> {
    this.#signal.throwIfAborted()
    const facts = await this.#facts(path)
    switch (facts?.kind) {
      case undefined:
        throw new ContentError('ERR_PATH_CHANGED', `${printablePath(names)} went away while it was added`)
      case 'folder':
        if (!this.#init.protectedFolders.includes(path)) return 'folder'
        this.#skip(names, 'protected')
        return undefined
      case 'file':
        return await this.file(path, names)
      case 'link':
        return await this.#link(path, names)
      case 'special':
        this.#skip(names, 'special')
        return undefined
    }
  }

  async #link(path: string, names: readonly string[]): Promise<Imported | undefined> {
    const target = await this.#target(path)
    if (target === undefined || !linkStaysInside(target, names.length - 1)) {
      this.#skip(names, 'link-outside')
      return undefined
    }
    this.#files++
    this.#report(names)
    return await importLink(target, this.#init.store)
  }

  async #target(path: string): Promise<string | undefined> {
    try {
      return decodeName(await this.#init.files.readLink(path))
    } catch (thrown) {
      throw fileError(thrown, `cannot read the link ${path}`)
    }
  }

  async #list(path: string, names: readonly string[]): Promise<ListedName[]> {
    const { files, entriesMax, hidden } = this.#init
    let raw: Uint8Array[]
    try {
      raw = await files.listNames(path, entriesMax - this.#entries)
    } catch (thrown) {
      throw fileError(thrown, `cannot list ${path}`)
    }
    this.#entries += raw.length
    const kept: ListedName[] = []
    // Compared as bytes: the order must not depend on a language.
    for (const bytes of raw.sort(Buffer.compare)) {
      const name = decodeName(bytes)
      const shown = [...names, name ?? Buffer.from(bytes).toString('latin1')]
      if (bytes[0] === 0x2e && !hidden) this.#skip(shown, 'hidden')
      else if (name === undefined || nameProblem(name, files.platform) !== undefined)
        this.#skip(shown, 'unsafe-name')
      else kept.push({ name, names: shown })
    }
    return kept
  }

  async #facts(path: string): Promise<FileFacts | undefined> {
    try {
      return await this.#init.files.facts(path)
    } catch (thrown) {
      throw fileError(thrown, `cannot read ${path}`)
    }
  }

  /**
   * Whoever can write to the tree may exchange a folder on the way for a link between our looking and our opening.
   * So what is open must be the very file that the path, with every link resolved, names inside the tree now.
   */
  async #checkPlace(path: string, opened: FileFacts): Promise<void> {
    if (opened.kind !== 'file') throw new ContentError('ERR_PATH_CHANGED', `${path} is no file any more`)
    const real = await this.#init.files.realPath(path)
    if (real !== path) {
      throw new ContentError('ERR_PATH_OUTSIDE', `${path} leads out of ${this.#root} through a link`)
    }
    const facts = await this.#init.files.facts(real)
    if (facts?.identity !== opened.identity) {
      throw new ContentError('ERR_PATH_CHANGED', `${path} was exchanged while it was added`)
    }
  }

  async *#chunks(reader: FileReader, names: readonly string[]): AsyncGenerator<Uint8Array> {
    for (;;) {
      this.#signal.throwIfAborted()
      // Leaves keep the memory they are given until they are stored, so each chunk has its own; small files get small ones.
      const chunk = this.#leaves.take(Math.min(CHUNK_BYTES, Math.max(reader.facts.bytes, 1) + 1))
      const count = await reader.read(chunk)
      if (count === 0) return
      this.#bytes += count
      this.#report(names)
      yield chunk.subarray(0, count)
    }
  }

  #skip(names: readonly string[], reason: SkipReason): void {
    if (this.#skipped.length < SKIPPED_MAX) this.#skipped.push({ path: printablePath(names), reason })
  }

  #report(names: readonly string[]): void {
    this.#init.onProgress?.({ bytes: this.#bytes, files: this.#files, path: printablePath(names) })
  }
}

/**
 * Memory of leaves, used again when they are stored: memory outside of the heap that is new for each mebibyte has the
 * collector look through the heap every few dozen.
 */
class LeafMemory {
  readonly #lent = new WeakSet<ArrayBufferLike>()
  readonly #free: Uint8Array[] = []

  take(length: number): Uint8Array {
    if (length !== CHUNK_BYTES) return unclearedBytes(length)
    const bytes = this.#free.pop() ?? unclearedBytes(length)
    this.#lent.add(bytes.buffer)
    return bytes
  }

  giveBack(bytes: Uint8Array): void {
    // Shorter ones, and those that were put together of others, are not worth it.
    if (bytes.length !== CHUNK_BYTES || !this.#lent.delete(bytes.buffer)) return
    if (this.#free.length < 2 * ADD_BLOCKS_PARALLEL) this.#free.push(bytes)
  }
}

function decodeName(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    return undefined
  }
}

function printablePath(names: readonly string[]): string {
  return names.map(printableName).join('/')
}
