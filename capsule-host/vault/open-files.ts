import type { Clock } from '#contracts'
import { FileError } from '../files/errors.ts'
import type { FileTimes } from '../files/files.ts'
import { ChunkCache } from './chunk-cache.ts'
import { HANDLES_MAX } from './constants.ts'
import { pickTimes, type Entry, type EntryTimes, type PlacedEntry } from './entry.ts'
import { putEntry, type Place } from './names.ts'
import { OpenFile } from './open-file.ts'
import type { Volume } from './volume.ts'

/** How much a root may hold. */
export interface RootLimits {
  readonly quotaBytes: number
  readonly entriesMax: number
}

/** The files of a root that are open, and how much all files hold. One caller at a time. */
export class OpenFiles {
  limits: RootLimits
  readonly #volume: Volume
  readonly #clock: Clock
  readonly #cache = new ChunkCache()
  readonly #files = new Map<number, OpenFile>()
  #handleCount = 0
  /** Bytes of all files, what is written and not published included. */
  #bytes: number

  constructor(components: { volume: Volume; clock: Clock }, limits: RootLimits) {
    this.#volume = components.volume
    this.#clock = components.clock
    this.limits = limits
    this.#bytes = components.volume.bytes
  }

  /** Bytes of all files, what is not durable yet included. */
  get bytes(): number {
    return this.#bytes
  }

  get isEmpty(): boolean {
    return this.#files.size === 0
  }

  /** Nanoseconds since 1970. */
  nowNs(): bigint {
    return BigInt(Math.floor(this.#clock.nowMs() * 1000)) * 1000n
  }

  /** The file of that inode, when it is open. */
  get(inode: number): OpenFile | undefined {
    return this.#files.get(inode)
  }

  /** A new entry, at its place from now on. @throws FileError `ERR_FILE_QUOTA` */
  async add(place: Place, kind: 'file' | 'folder'): Promise<PlacedEntry> {
    this.checkEntries()
    // What makes the tree grow must not use up what is kept free for removing.
    await this.#volume.blocks.refillReserve()
    const entry = this.newEntry(place, kind)
    await putEntry(this.#volume, place, entry)
    this.#volume.changed({ entries: 1 })
    return entry
  }

  /** @throws FileError `ERR_FILE_QUOTA` when there may be no more files and folders */
  checkEntries(): void {
    if (this.#volume.entries >= this.limits.entriesMax) {
      throw new FileError('ERR_FILE_QUOTA', `expected at most ${this.limits.entriesMax} files and folders`)
    }
  }

  /** A new entry that is nowhere yet. */
  newEntry(place: Place, kind: 'file' | 'folder'): PlacedEntry {
    const nowNs = this.nowNs()
    const times = { accessedNs: nowNs, modifiedNs: nowNs, changedNs: nowNs }
    const inode = this.#volume.takeInode()
    return { kind, inode, bytes: 0, levels: 0, content: undefined, ...times, ...place }
  }

  /** One more handle of a file; {@link close} ends it. @throws FileError `ERR_FILE_TOO_MANY_OPEN` */
  open(entry: PlacedEntry): OpenFile {
    if (this.#handleCount >= HANDLES_MAX) {
      throw new FileError('ERR_FILE_TOO_MANY_OPEN', `expected at most ${HANDLES_MAX} open files`)
    }
    const file = this.#files.get(entry.inode) ?? this.#opened(entry)
    file.handleCount++
    this.#handleCount++
    return file
  }

  /** Lets the tree of entries refer to what an open file holds now. */
  async publish(file: OpenFile): Promise<void> {
    if (!file.isChanged || file.place === undefined) return
    const content = await file.flush()
    const { inode, bytes, times, place } = file
    const entry: Entry = { kind: 'file', inode, bytes, ...pickTimes(times), ...content }
    await putEntry(this.#volume, place, entry)
    this.#volume.changed({ bytes: bytes - file.publishedBytes })
    file.published()
  }

  /** {@link publish} for every file. */
  async publishAll(): Promise<void> {
    for (const file of [...this.#files.values()]) await this.publish(file)
  }

  /** A handle of a file is closed; the last one publishes it. When that fails the old file stays. */
  async close(file: OpenFile): Promise<void> {
    this.#handleCount--
    file.handleCount--
    if (file.handleCount > 0) return
    try {
      this.#volume.checkReadable()
      if (file.place === undefined) {
        this.#bytes -= file.bytes
        await file.release()
        this.#volume.changed()
      } else if (file.failure !== undefined) throw file.failure
      else await this.publish(file)
    } catch (thrown) {
      this.#bytes += file.place === undefined ? 0 : file.publishedBytes - file.bytes
      throw thrown
    } finally {
      file.end()
      this.#files.delete(file.inode)
    }
  }

  /** An entry was taken out of the tree; its file goes when nobody has it open. */
  async unname(entry: PlacedEntry): Promise<void> {
    this.#volume.changed({ bytes: entry.kind === 'file' ? -entry.bytes : 0, entries: -1 })
    if (entry.kind === 'folder') return
    const file = this.#files.get(entry.inode) ?? this.#opened(entry)
    file.place = undefined
    if (file.handleCount > 0) return
    this.#handleCount++
    file.handleCount++
    await this.close(file)
  }

  /** Runs `task` as if the bytes of a file that it replaces were free already. */
  async replacing<T>(replaced: Entry | undefined, task: () => Promise<T>): Promise<T> {
    const bytes = replaced?.bytes ?? 0
    this.#bytes -= bytes
    try {
      return await task()
    } finally {
      this.#bytes += bytes
    }
  }

  /** All is as the volume says again, after a snapshot was restored. */
  recount(): void {
    this.#bytes = this.#volume.bytes
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

  #opened(entry: PlacedEntry): OpenFile {
    const { blocks, space } = this.#volume
    const count = (bytes: number): void => this.#count(bytes)
    const file = new OpenFile(
      { blocks, cache: this.#cache, draft: space.draft(), nowNs: () => this.nowNs(), count },
      entry,
      { folder: entry.folder, name: entry.name }
    )
    this.#files.set(entry.inode, file)
    return file
  }

  #count(bytes: number): void {
    if (bytes > 0 && this.#bytes + bytes > this.limits.quotaBytes) {
      throw new FileError('ERR_FILE_QUOTA', `expected at most ${this.limits.quotaBytes} bytes`)
    }
    this.#bytes += bytes
  }
}
