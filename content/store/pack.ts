import { join } from 'node:path'
import { ContentError } from '../errors.ts'
import type { FilePowers, StoredFile } from '../files.ts'
import { OPEN_PACKS_MAX } from './constants.ts'

/** One file of blocks, and what is known of it. */
export class Pack {
  readonly number: number
  readonly path: string
  /** Beside it: which blocks it holds. */
  readonly indexPath: string
  /** Where the next record goes; 0: not even the first bytes are there. */
  bytes = 0
  /** Bytes and number of the records that the index points to. */
  liveBytes = 0
  liveCount = 0
  /** Up to here all of it is on the disk. */
  syncedBytes = 0
  /** Up to here it must be at the next flush. */
  durableBytes = 0
  /** Nothing is written to it any more. */
  isSealed = false
  /** Tasks that use the file now. */
  users = 0
  file: Promise<StoredFile> | undefined
  /** Called when the last user is gone and the file is to be closed. */
  whenIdle: (() => void) | undefined

  constructor(folder: string, number: number) {
    const name = String(number).padStart(8, '0')
    this.number = number
    this.path = join(folder, `${name}.pack`)
    this.indexPath = join(folder, `${name}.idx`)
  }
}

/** Opens pack files when they are used, and keeps the last few open. */
export class PackFiles implements AsyncDisposable {
  readonly #files: FilePowers
  /** Packs whose file is open, the one used longest ago first. */
  readonly #open = new Set<Pack>()
  #isClosed = false

  constructor(files: FilePowers) {
    this.#files = files
  }

  /**
   * Runs a task with the open file of a pack; the file stays open, and there, until it ends.
   *
   * @throws ContentError `ERR_CONTENT_CLOSED` once it is disposed: what is opened then nobody would close
   */
  async use<T>(pack: Pack, task: (file: StoredFile) => Promise<T>): Promise<T> {
    if (this.#isClosed) throw storeClosed()
    pack.users++
    try {
      return await task(await this.#fileOf(pack))
    } finally {
      if (--pack.users === 0) pack.whenIdle?.()
    }
  }

  /** Closes a pack's file when nobody uses it any more; whoever uses it later opens it again. */
  async close(pack: Pack): Promise<void> {
    if (pack.users > 0) {
      const idle = Promise.withResolvers<undefined>()
      pack.whenIdle = () => idle.resolve(undefined)
      await idle.promise
      pack.whenIdle = undefined
    }
    await this.#close(pack)
  }

  /** Closes all; nobody may use any. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true
    for (const pack of [...this.#open]) await this.#close(pack)
  }

  async #fileOf(pack: Pack): Promise<StoredFile> {
    this.#open.delete(pack)
    this.#open.add(pack)
    pack.file ??= this.#files.openStored(pack.path, pack.isSealed ? 'read' : 'write')
    try {
      const file = await pack.file
      await this.#closeOldest()
      return file
    } catch (thrown) {
      this.#open.delete(pack)
      pack.file = undefined
      throw thrown
    }
  }

  async #closeOldest(): Promise<void> {
    for (const pack of this.#open) {
      if (this.#open.size <= OPEN_PACKS_MAX) return
      if (pack.users === 0) await this.#close(pack)
    }
  }

  async #close(pack: Pack): Promise<void> {
    const { file } = pack
    this.#open.delete(pack)
    pack.file = undefined
    await (await file?.catch(() => undefined))?.[Symbol.asyncDispose]()
  }
}

/** What is asked of a store that was disposed. */
export function storeClosed(): ContentError {
  return new ContentError('ERR_CONTENT_CLOSED', 'the block store is closed')
}
