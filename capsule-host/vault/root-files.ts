import { errorCode, type Clock, type Logger } from '#contracts'
import { FileError } from '../files/errors.ts'
import type { FileEntry, FileHandle, FileStat, FileTimes, OpenOptions } from '../files/files.ts'
import { COMMIT_DELAY_MS, DIRTY_PAGES_MAX } from './constants.ts'
import { pickTimes, statOf, type EntryTimes, type PlacedEntry } from './entry.ts'
import { createHandle } from './handle.ts'
import {
  deleteEntry,
  entriesIn,
  entryAt,
  findEntry,
  isBelow,
  isFolderEmpty,
  isRoot,
  placeOf,
  putEntry,
  type Place
} from './names.ts'
import type { OpenFile } from './open-file.ts'
import { OpenFiles, type RootLimits } from './open-files.ts'
import { Turns } from './turns.ts'
import type { Volume } from './volume.ts'

/** What {@link RootFiles} works with. */
export interface RootFilesComponents {
  readonly volume: Volume
  readonly clock: Clock
  readonly logger: Logger
}

/** The files of one lineage, shared by all who use its root at once. Calls run one after the other. */
export class RootFiles {
  readonly volume: Volume
  readonly #components: RootFilesComponents
  readonly #turns = new Turns()
  readonly #open: OpenFiles
  #commitTimer: Disposable | undefined

  constructor(components: RootFilesComponents, limits: RootLimits) {
    this.#components = components
    this.volume = components.volume
    this.#open = new OpenFiles(components, limits)
  }

  get limits(): RootLimits {
    return this.#open.limits
  }

  set limits(limits: RootLimits) {
    this.#open.limits = limits
  }

  /** Bytes of all files, what is not durable yet included. */
  get bytes(): number {
    return this.#open.bytes
  }

  /** Runs `task` when those before have ended. */
  async take<T>(task: () => Promise<T>): Promise<T> {
    return await this.#turns.run(async () => {
      this.volume.checkReadable()
      return await task()
    })
  }

  /** Runs a task that changes something. */
  async change<T>(task: () => Promise<T>): Promise<T> {
    return await this.take(async () => {
      this.volume.checkWritable()
      try {
        const result = await task()
        if (this.volume.tree.changedCount > DIRTY_PAGES_MAX) await this.volume.commit()
        return result
      } finally {
        this.#commitSoon()
      }
    })
  }

  async stat(path: string): Promise<FileStat> {
    return await this.take(async () => {
      const entry = await findEntry(this.volume, path)
      const file = this.#open.get(entry.inode)
      return statOf(file === undefined ? entry : { ...entry, bytes: file.bytes, ...pickTimes(file.times) })
    })
  }

  async list(path: string): Promise<readonly FileEntry[]> {
    return await this.take(async () => {
      const folder = await findEntry(this.volume, path)
      if (folder.kind !== 'folder') throw notFolder()
      const entries: FileEntry[] = []
      for await (const { name, kind, inode } of entriesIn(this.volume, folder.inode)) {
        entries.push({ name, kind, inode })
      }
      return entries
    })
  }

  async open(path: string, options: OpenOptions): Promise<FileHandle> {
    const { isCreating = false, isExclusive = false, isTruncating = false, isWriting = false } = options
    const open = async (): Promise<FileHandle> => {
      const place = await placeOf(this.volume, path)
      const found = await entryAt(this.volume, place)
      if (found !== undefined && isRoot(found)) throw isFolder()
      if (found !== undefined && isCreating && isExclusive) throw exists()
      if (found?.kind === 'folder') throw isFolder()
      if (found === undefined && !isCreating) {
        throw new FileError('ERR_FILE_NOT_FOUND', 'expected a file at that path, there is nothing')
      }
      const file = this.#open.open(found ?? (await this.#open.add(place, 'file')))
      if (isTruncating) await this.#truncated(file)
      return createHandle(this, file, isWriting)
    }
    return isCreating || isTruncating || isWriting ? await this.change(open) : await this.take(open)
  }

  /** Makes `bytes` all that is in a file, made when there is none; nobody sees anything between. */
  async replace(path: string, bytes: Uint8Array): Promise<void> {
    await this.change(async () => {
      const place = await placeOf(this.volume, path)
      const old = await entryAt(this.volume, place)
      if (old?.kind === 'folder') throw isFolder()
      if (old === undefined) this.#open.checkEntries()
      const file = this.#open.open(this.#open.newEntry(place, 'file'))
      try {
        await this.#open.replacing(old, async () => await file.write(0, bytes))
        // An empty file is published too.
        file.setTimes(file.times)
        await this.#open.publish(file)
      } catch (thrown) {
        file.place = undefined
        await this.#open.close(file)
        throw thrown
      }
      this.volume.changed({ entries: 1 })
      await this.#open.close(file)
      if (old !== undefined) await this.#open.unname(old)
    })
  }

  async makeFolder(path: string): Promise<void> {
    await this.change(async () => {
      const place = await placeOf(this.volume, path)
      if ((await entryAt(this.volume, place)) !== undefined) throw exists()
      await this.#open.add(place, 'folder')
    })
  }

  async remove(path: string): Promise<void> {
    await this.change(async () => {
      const entry = await findEntry(this.volume, path)
      if (isRoot(entry)) throw busy()
      if (entry.kind === 'folder') throw isFolder()
      await deleteEntry(this.volume, entry)
      await this.#open.unname(entry)
    })
  }

  async removeFolder(path: string): Promise<void> {
    await this.change(async () => {
      const entry = await findEntry(this.volume, path)
      if (isRoot(entry)) throw busy()
      if (entry.kind !== 'folder') throw notFolder()
      if (!(await isFolderEmpty(this.volume, entry.inode))) throw notEmpty()
      await deleteEntry(this.volume, entry)
      await this.#open.unname(entry)
    })
  }

  async rename(from: string, to: string): Promise<void> {
    await this.change(async () => {
      const source = await findEntry(this.volume, from)
      if (isRoot(source) || to === '') throw busy()
      const place = await placeOf(this.volume, to)
      const target = await entryAt(this.volume, place)
      if (target?.inode === source.inode) return
      if (source.kind === 'folder' && (await isBelow(this.volume, to, source.inode))) {
        throw new FileError('ERR_FILE_INVALID', 'expected a place outside the folder that is moved')
      }
      await this.#checkReplaceable(source, target)
      await this.#move(source, place, target)
    })
  }

  async setTimes(path: string, times: FileTimes): Promise<void> {
    await this.change(async () => {
      const entry = await findEntry(this.volume, path)
      const file = this.#open.get(entry.inode)
      if (file !== undefined) file.setTimes(this.newTimes(file.times, times))
      else {
        await putEntry(this.volume, entry, { ...entry, ...this.newTimes(entry, times) })
        this.volume.changed()
      }
    })
  }

  newTimes(old: EntryTimes, times: FileTimes): EntryTimes {
    return this.#open.newTimes(old, times)
  }

  /** Makes everything that is published durable. */
  async flush(): Promise<void> {
    await this.take(() => this.volume.commit())
  }

  /** Keeps everything as it is now, open files included. */
  async snapshot(): Promise<string> {
    return await this.take(async () => {
      this.volume.checkWritable()
      await this.#open.publishAll()
      return await this.volume.snapshot()
    })
  }

  /** Goes back to a snapshot; nothing may be open. */
  async restore(id: string): Promise<void> {
    await this.take(async () => {
      this.volume.checkWritable()
      if (!this.#open.isEmpty) throw new FileError('ERR_FILE_BUSY', 'expected no open file')
      await this.volume.restore(id)
      this.#open.recount()
    })
  }

  /** Makes what was written to an open file durable. */
  async sync(file: OpenFile): Promise<void> {
    await this.take(async () => {
      await this.#open.publish(file)
      if (this.volume.isChanged) await this.volume.commit()
    })
  }

  /** A handle is closed by its user. */
  async closing(file: OpenFile): Promise<void> {
    await this.#turns.runAlways(async () => {
      try {
        await this.#open.close(file)
      } finally {
        this.#commitSoon()
      }
    })
  }

  /** Ends the timer, makes durable what is published, and closes the file on the disk. */
  async end(): Promise<void> {
    await this.#turns.runAlways(async () => {
      this.#commitTimer?.[Symbol.dispose]()
      this.#commitTimer = undefined
      try {
        if (!this.volume.hasFailed && this.volume.isChanged) await this.volume.commit()
      } finally {
        await this.volume.close()
      }
    })
  }

  async #truncated(file: OpenFile): Promise<void> {
    try {
      await file.truncate(0)
    } catch (thrown) {
      await this.#open.close(file)
      throw thrown
    }
  }

  async #checkReplaceable(source: PlacedEntry, target: PlacedEntry | undefined): Promise<void> {
    if (target === undefined) return
    if (source.kind === 'folder' && target.kind === 'file') throw notFolder()
    if (source.kind === 'file' && target.kind === 'folder') throw isFolder()
    if (target.kind === 'folder' && !(await isFolderEmpty(this.volume, target.inode))) throw notEmpty()
  }

  async #move(source: PlacedEntry, place: Place, target: PlacedEntry | undefined): Promise<void> {
    try {
      await putEntry(this.volume, place, { ...source, changedNs: this.#open.nowNs() })
      await deleteEntry(this.volume, source)
    } catch (thrown) {
      // Half moved: only the durable state is whole.
      this.volume.fail(thrown)
      throw thrown
    }
    const file = this.#open.get(source.inode)
    if (file !== undefined) file.place = place
    this.volume.changed()
    if (target !== undefined) await this.#open.unname(target)
  }

  #commitSoon(): void {
    if (!this.volume.isChanged || this.#commitTimer !== undefined) return
    const { clock, logger } = this.#components
    this.#commitTimer = clock.after(COMMIT_DELAY_MS, () => {
      this.#commitTimer = undefined
      this.take(() => this.volume.commit()).catch((thrown: unknown) => {
        logger.warn('a vault file could not be made durable yet', { code: errorCode(thrown) })
      })
    })
  }
}

function isFolder(): FileError {
  return new FileError('ERR_FILE_IS_FOLDER', 'expected a file, a folder is there')
}

function notFolder(): FileError {
  return new FileError('ERR_FILE_NOT_FOLDER', 'expected a folder, a file is there')
}

function notEmpty(): FileError {
  return new FileError('ERR_FILE_NOT_EMPTY', 'expected an empty folder')
}

function exists(): FileError {
  return new FileError('ERR_FILE_EXISTS', 'expected nothing at that path, something is there')
}

function busy(): FileError {
  return new FileError('ERR_FILE_BUSY', 'expected something else than the root folder')
}
