import { errorCode, type Clock, type Logger } from '#contracts'
import { FileError } from '../files/errors.ts'
import type { FileEntry, FileHandle, FileStat, FileTimes, OpenOptions } from '../files/files.ts'
import { ChunkCache } from './chunk-cache.ts'
import { COMMIT_DELAY_MS, DIRTY_PAGES_MAX, HANDLES_MAX } from './constants.ts'
import { pickTimes, statOf, type Entry, type EntryTimes, type PlacedEntry } from './entry.ts'
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
import { createHandle } from './handle.ts'
import { OpenFile } from './open-file.ts'
import { Turns } from './turns.ts'
import type { Volume } from './volume.ts'

/** What {@link RootFiles} works with. */
export interface RootFilesComponents {
  readonly volume: Volume
  readonly clock: Clock
  readonly logger: Logger
}

/** How much a root may hold. */
export interface RootLimits {
  readonly quotaBytes: number
  readonly entriesMax: number
}

/** The files of one lineage, shared by all who use its root at once. Calls run one after the other. */
export class RootFiles {
  readonly volume: Volume
  limits: RootLimits
  readonly #components: RootFilesComponents
  readonly #turns = new Turns()
  readonly #cache = new ChunkCache()
  readonly #open = new Map<number, OpenFile>()
  #handleCount = 0
  /** Bytes of all files, what is written and not published included. */
  #bytes: number
  #commitTimer: Disposable | undefined

  constructor(components: RootFilesComponents, limits: RootLimits) {
    this.#components = components
    this.volume = components.volume
    this.limits = limits
    this.#bytes = components.volume.bytes
  }

  /** Bytes of all files, what is not durable yet included. */
  get bytes(): number {
    return this.#bytes
  }

  get handleCount(): number {
    return this.#handleCount
  }

  /** Runs `task` when those before have ended. */
  async take<T>(task: () => Promise<T>): Promise<T> {
    return await this.#turns.run(async () => {
      this.volume.checkReadable()
      return await task()
    })
  }

  /** Runs a task that changes something; when that fails half way, only what is durable counts. */
  async change<T>(task: () => Promise<T>): Promise<T> {
    return await this.take(async () => {
      this.volume.checkWritable()
      const result = await task()
      if (this.volume.tree.changedCount > DIRTY_PAGES_MAX) await this.volume.commit()
      this.#commitSoon()
      return result
    })
  }

  async stat(path: string): Promise<FileStat> {
    return await this.take(async () => this.#statOf(await findEntry(this.volume, path)))
  }

  async list(path: string): Promise<readonly FileEntry[]> {
    return await this.take(async () => {
      const folder = await findEntry(this.volume, path)
      if (folder.kind !== 'folder') throw notFolder()
      const entries: FileEntry[] = []
      for await (const { name, kind, inode } of entriesIn(this.volume, folder.inode))
        entries.push({ name, kind, inode })
      return entries
    })
  }

  async open(path: string, options: OpenOptions): Promise<FileHandle> {
    const isChange =
      options.isCreating === true || options.isTruncating === true || options.isWriting === true
    const open = async (): Promise<FileHandle> => {
      if (this.#handleCount >= HANDLES_MAX) {
        throw new FileError('ERR_FILE_TOO_MANY_OPEN', `expected at most ${HANDLES_MAX} open files`)
      }
      const place = await placeOf(this.volume, path)
      const found = await entryAt(this.volume, place)
      const isCreating = options.isCreating === true
      if (found !== undefined && isRoot(found)) throw isFolder()
      if (found !== undefined && isCreating && options.isExclusive === true) throw exists()
      if (found?.kind === 'folder') throw isFolder()
      if (found === undefined && !isCreating) {
        throw new FileError('ERR_FILE_NOT_FOUND', 'expected a file at that path, there is nothing')
      }
      const file = this.#openFile(found ?? (await this.#add(place, 'file')))
      file.handleCount++
      this.#handleCount++
      if (options.isTruncating === true) await this.#truncated(file)
      return createHandle(this, file, options.isWriting === true)
    }
    return isChange ? await this.change(open) : await this.take(open)
  }

  async makeFolder(path: string): Promise<void> {
    await this.change(async () => {
      const place = await placeOf(this.volume, path)
      if ((await entryAt(this.volume, place)) !== undefined) throw exists()
      await this.#add(place, 'folder')
    })
  }

  async remove(path: string): Promise<void> {
    await this.change(async () => {
      const entry = await findEntry(this.volume, path)
      if (isRoot(entry)) throw busy()
      if (entry.kind === 'folder') throw isFolder()
      await deleteEntry(this.volume, entry)
      await this.#unname(entry)
    })
  }

  async removeFolder(path: string): Promise<void> {
    await this.change(async () => {
      const entry = await findEntry(this.volume, path)
      if (isRoot(entry)) throw busy()
      if (entry.kind !== 'folder') throw notFolder()
      if (!(await isFolderEmpty(this.volume, entry.inode))) throw notEmpty()
      await deleteEntry(this.volume, entry)
      this.volume.changed({ entries: -1 })
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

  /** Times of a file after {@link FileTimes} were set. */
  newTimes(old: EntryTimes, { accessedNs, modifiedNs }: FileTimes): EntryTimes {
    const nowNs = this.nowNs()
    const chosen = (time: bigint | 'now' | undefined, before: bigint): bigint =>
      time === undefined ? before : time === 'now' ? nowNs : BigInt.asIntN(64, time)
    return {
      accessedNs: chosen(accessedNs, old.accessedNs),
      modifiedNs: chosen(modifiedNs, old.modifiedNs),
      changedNs: nowNs
    }
  }

  /** Makes everything that is published durable. */
  async flush(): Promise<void> {
    await this.take(() => this.volume.commit())
  }

  /** Keeps everything as it is now, open files included. */
  async snapshot(): Promise<string> {
    return await this.take(async () => {
      this.volume.checkWritable()
      for (const file of [...this.#open.values()]) await this.publish(file)
      return await this.volume.snapshot()
    })
  }

  /** Goes back to a snapshot; nothing may be open. */
  async restore(id: string): Promise<void> {
    await this.take(async () => {
      this.volume.checkWritable()
      if (this.#open.size > 0) throw new FileError('ERR_FILE_BUSY', 'expected no open file')
      await this.volume.restore(id)
      this.#bytes = this.volume.bytes
    })
  }

  /** Lets the tree of entries refer to what an open file holds now. */
  async publish(file: OpenFile): Promise<void> {
    if (!file.isChanged || file.place === undefined) return
    const content = await file.flush()
    const { inode, bytes, times, place } = file
    const entry: Entry = { kind: 'file', inode, bytes, ...pickTimes(times), ...content }
    await putEntry(this.volume, place, entry)
    this.volume.changed({ bytes: bytes - file.publishedBytes })
    file.published()
  }

  /** Makes what was written to an open file durable. */
  async sync(file: OpenFile): Promise<void> {
    await this.take(async () => {
      await this.publish(file)
      if (this.volume.isChanged) await this.volume.commit()
    })
  }

  /** A handle is closed by its user. */
  async closing(file: OpenFile): Promise<void> {
    await this.#turns.runAlways(() => this.closeHandle(file))
  }

  /** A handle of a file is closed; the last one publishes it. When that fails the old file stays. */
  async closeHandle(file: OpenFile): Promise<void> {
    this.#handleCount--
    file.handleCount--
    if (file.handleCount > 0) return
    try {
      this.volume.checkReadable()
      if (file.place === undefined) {
        this.#bytes -= file.bytes
        await file.release()
        this.volume.changed()
      } else await this.publish(file)
    } catch (thrown) {
      this.#bytes += file.place === undefined ? 0 : file.publishedBytes - file.bytes
      throw thrown
    } finally {
      file.end()
      this.#open.delete(file.inode)
      this.#commitSoon()
    }
  }

  /** Ends the timer and makes durable what is published. */
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

  nowNs(): bigint {
    return BigInt(Math.floor(this.#components.clock.nowMs() * 1000)) * 1000n
  }

  #statOf(entry: PlacedEntry): FileStat {
    const file = this.#open.get(entry.inode)
    return statOf(file === undefined ? entry : { ...entry, bytes: file.bytes, ...pickTimes(file.times) })
  }

  async #truncated(file: OpenFile): Promise<void> {
    try {
      await file.truncate(0)
    } catch (thrown) {
      await this.closeHandle(file)
      throw thrown
    }
  }

  async #add(place: Place, kind: 'file' | 'folder'): Promise<PlacedEntry> {
    if (this.volume.entries >= this.limits.entriesMax) {
      throw new FileError('ERR_FILE_QUOTA', `expected at most ${this.limits.entriesMax} files and folders`)
    }
    const nowNs = this.nowNs()
    const times = { accessedNs: nowNs, modifiedNs: nowNs, changedNs: nowNs }
    const entry = { kind, inode: this.volume.takeInode(), bytes: 0, levels: 0, content: undefined, ...times }
    await putEntry(this.volume, place, entry)
    this.volume.changed({ entries: 1 })
    return { ...entry, ...place }
  }

  #openFile(entry: PlacedEntry): OpenFile {
    const held = this.#open.get(entry.inode)
    if (held !== undefined) return held
    const { blocks, space } = this.volume
    const file = new OpenFile(
      {
        blocks,
        cache: this.#cache,
        draft: space.draft(),
        nowNs: () => this.nowNs(),
        count: (bytes) => this.#count(bytes)
      },
      entry,
      { folder: entry.folder, name: entry.name }
    )
    this.#open.set(entry.inode, file)
    return file
  }

  #count(bytes: number): void {
    if (bytes > 0 && this.#bytes + bytes > this.limits.quotaBytes) {
      throw new FileError('ERR_FILE_QUOTA', `expected at most ${this.limits.quotaBytes} bytes`)
    }
    this.#bytes += bytes
  }

  /** A file has lost its name; it goes when nobody has it open. */
  async #unname(entry: PlacedEntry): Promise<void> {
    this.volume.changed({ bytes: -entry.bytes, entries: -1 })
    const file = this.#openFile(entry)
    file.place = undefined
    if (file.handleCount > 0) return
    this.#handleCount++
    file.handleCount++
    await this.closeHandle(file)
  }

  async #checkReplaceable(source: PlacedEntry, target: PlacedEntry | undefined): Promise<void> {
    if (target === undefined) return
    if (source.kind === 'folder' && target.kind === 'file') throw notFolder()
    if (source.kind === 'file' && target.kind === 'folder') {
      throw new FileError('ERR_FILE_IS_FOLDER', 'expected no folder in the place of the file')
    }
    if (target.kind === 'folder' && !(await isFolderEmpty(this.volume, target.inode))) throw notEmpty()
  }

  async #move(source: PlacedEntry, place: Place, target: PlacedEntry | undefined): Promise<void> {
    try {
      await putEntry(this.volume, place, { ...source, changedNs: this.nowNs() })
      await deleteEntry(this.volume, source)
    } catch (thrown) {
      // Half moved: only the durable state is whole.
      this.volume.fail(thrown)
      throw thrown
    }
    const file = this.#open.get(source.inode)
    if (file !== undefined) file.place = place
    this.volume.changed()
    if (target?.kind === 'file') await this.#unname(target)
    else if (target !== undefined) this.volume.changed({ entries: -1 })
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
