import { errorMessage } from '#contracts'
import { CapsuleError } from '../errors.ts'
import {
  decodeFileRequest,
  FILE_CALL_BYTES_MAX,
  FILE_STATUSES,
  LIST_ENTRIES_MAX,
  OPEN_FLAG,
  type FileRequest,
  type FileStatus
} from '../guest/file-messages.ts'
import { FileMessageError, MessageWriter } from '../guest/message-codec.ts'
import { FRAME_PAYLOAD_BYTES_MAX } from '../guest/frames.ts'
import type { FileServiceFactory } from '../process/files.ts'
import { FileError } from './errors.ts'
import type { CapsuleFiles, FileEntry, FileHandle, FileKind, FileLinks, FileStat } from './files.ts'
import { checkFilePath } from './paths.ts'

/** Options of {@link serveFiles}. */
export interface ServeFilesInit {
  /** Files the capsule may have open at once. */
  readonly openFilesMax: number
}

/**
 * Answers a capsule's calls on files from `files`. Every path is checked here, whatever the process inside already did
 * with it; what was opened for reading is not written; what is open is closed with the capsule.
 *
 * A question that is not of its form ends the capsule with `ERR_CAPSULE_CRASHED`: its process is no longer what was
 * started.
 *
 * @see docs/protocols/capsule-files.md
 */
export function serveFiles(files: CapsuleFiles, init: ServeFilesInit): FileServiceFactory {
  return (port) => {
    const served = new ServedFiles(files, init)
    return {
      push: async (bytes) => {
        const answer = await served.answer(decode(bytes))
        if (answer.byteLength > FRAME_PAYLOAD_BYTES_MAX)
          throw new RangeError('expected an answer of one frame')
        port.send(answer)
      },
      close: () => served.close()
    }
  }
}

function decode(bytes: Uint8Array): FileRequest {
  try {
    return decodeFileRequest(bytes)
  } catch (cause) {
    if (!(cause instanceof FileMessageError)) throw cause
    throw new CapsuleError(
      'ERR_CAPSULE_CRASHED',
      `the capsule's process asked no question about files: ${errorMessage(cause)}`,
      { cause }
    )
  }
}

interface OpenFile {
  readonly handle: FileHandle
  readonly isWriting: boolean
}

const KINDS: Readonly<Record<FileKind, number>> = { file: 0, folder: 1, link: 2 }
const NOTHING = new Uint8Array([0])
const LIST_BYTES_MAX = FRAME_PAYLOAD_BYTES_MAX - 1024

class ServedFiles {
  readonly #files: CapsuleFiles
  readonly #init: ServeFilesInit
  readonly #open = new Map<number, OpenFile>()
  #lastHandle = 0
  #listing: { readonly path: string; readonly entries: readonly FileEntry[] } | undefined
  #isClosed = false

  constructor(files: CapsuleFiles, init: ServeFilesInit) {
    this.#files = files
    this.#init = init
  }

  /** The answer to one question; never rejects. */
  async answer(request: FileRequest): Promise<Uint8Array> {
    try {
      return await this.#do(request)
    } catch (thrown) {
      const code: FileStatus = thrown instanceof FileError ? thrown.code : 'ERR_FILE_IO'
      return new Uint8Array([FILE_STATUSES.indexOf(code)])
    }
  }

  /** Closes what is open; what fails then is its keeper's to log. */
  async close(): Promise<void> {
    this.#isClosed = true
    const open = [...this.#open.values()]
    this.#open.clear()
    await Promise.allSettled(open.map(({ handle }) => handle.close()))
  }

  async #do(request: FileRequest): Promise<Uint8Array> {
    if ('path' in request) checkFilePath(request.path)
    if ('from' in request && typeof request.from === 'string') checkFilePath(request.from)
    const files = this.#files
    switch (request.operation) {
      case 'stat':
        return success()
          .stat(await files.stat(request.path, request))
          .end()
      case 'list':
        return await this.#list(request.path, request.from)
      case 'open':
        return await this.#openFile(request.path, request.flags)
      case 'setTimes':
        await files.setTimes(request.path, request.times, request)
        return NOTHING
      case 'makeFolder':
        await files.makeFolder(request.path)
        return NOTHING
      case 'remove':
        await files.remove(request.path)
        return NOTHING
      case 'removeFolder':
        await files.removeFolder(request.path)
        return NOTHING
      case 'rename':
        await files.rename(request.from, request.path)
        return NOTHING
      case 'readLink':
        return success().rest(await this.#links.read(request.path))
      case 'makeLink':
        await this.#links.make(request.target, request.path)
        return NOTHING
      case 'joinLink':
        await this.#links.join(request.from, request.path)
        return NOTHING
      default:
        return await this.#doWithHandle(request)
    }
  }

  async #doWithHandle(request: Extract<FileRequest, { handle: number }>): Promise<Uint8Array> {
    const { handle: number } = request
    switch (request.operation) {
      case 'close':
        return await this.#closeFile(number)
      case 'read': {
        if (request.length > FILE_CALL_BYTES_MAX)
          throw new FileError('ERR_FILE_INVALID', 'expected a shorter read')
        return success().rest(await this.#file(number).handle.read(request.offset, request.length))
      }
      case 'write':
        await this.#written(number).write(request.offset, request.bytes)
        return NOTHING
      case 'append': {
        const handle = this.#written(number)
        const { bytes: end } = await handle.stat()
        await handle.write(end, request.bytes)
        return success()
          .size(end + request.bytes.byteLength)
          .end()
      }
      case 'truncate':
        await this.#written(number).truncate(request.size)
        return NOTHING
      case 'extend': {
        const handle = this.#written(number)
        if ((await handle.stat()).bytes < request.size) await handle.truncate(request.size)
        return NOTHING
      }
      case 'sync':
        await this.#file(number).handle.sync()
        return NOTHING
      case 'statHandle':
        return success()
          .stat(await this.#file(number).handle.stat())
          .end()
      case 'setHandleTimes':
        await this.#written(number).setTimes(request.times)
        return NOTHING
    }
  }

  get #links(): FileLinks {
    if (this.#files.links !== undefined) return this.#files.links
    throw new FileError('ERR_FILE_UNSUPPORTED', 'expected no call on links, these files have none')
  }

  #file(number: number): OpenFile {
    const file = this.#open.get(number)
    if (file === undefined) throw new FileError('ERR_FILE_INVALID', 'expected the number of an open file')
    return file
  }

  #written(number: number): FileHandle {
    const { handle, isWriting } = this.#file(number)
    if (!isWriting) throw new FileError('ERR_FILE_DENIED', 'expected a file that was opened to be written')
    return handle
  }

  async #openFile(path: string, flags: number): Promise<Uint8Array> {
    const has = (bit: number): boolean => (flags & bit) !== 0
    if (this.#open.size >= this.#init.openFilesMax) {
      throw new FileError('ERR_FILE_TOO_MANY_OPEN', `expected at most ${this.#init.openFilesMax} open files`)
    }
    const isWriting = has(OPEN_FLAG.write)
    const isChanging = isWriting || has(OPEN_FLAG.create) || has(OPEN_FLAG.truncate)
    const isFollowing = has(OPEN_FLAG.follow)
    let handle: FileHandle
    try {
      handle = await this.#files.open(path, {
        isCreating: has(OPEN_FLAG.create),
        isExclusive: has(OPEN_FLAG.exclusive),
        isTruncating: has(OPEN_FLAG.truncate),
        isWriting,
        isFollowing
      })
    } catch (thrown) {
      const isFolder = thrown instanceof FileError && thrown.code === 'ERR_FILE_IS_FOLDER'
      if (!isFolder || isChanging) throw thrown
      return success().flag(false).end()
    }
    return await this.#opened(handle, isWriting)
  }

  async #opened(handle: FileHandle, isWriting: boolean): Promise<Uint8Array> {
    if (this.#isClosed) {
      await handle.close()
      throw new FileError('ERR_FILE_IO', 'expected a capsule that runs')
    }
    this.#lastHandle = (this.#lastHandle + 1) >>> 0
    while (this.#open.has(this.#lastHandle)) this.#lastHandle = (this.#lastHandle + 1) >>> 0
    this.#open.set(this.#lastHandle, { handle, isWriting })
    return success().flag(true).u32(this.#lastHandle).end()
  }

  async #closeFile(number: number): Promise<Uint8Array> {
    const { handle } = this.#file(number)
    this.#open.delete(number)
    await handle.close()
    return NOTHING
  }

  /** A page of a folder's names. Pages after the first come from the same moment. */
  async #list(path: string, from: number): Promise<Uint8Array> {
    if (from === 0 || this.#listing?.path !== path) {
      this.#listing = { path, entries: await this.#files.list(path) }
    }
    const { entries } = this.#listing
    const page = new AnswerWriter()
    let index = from
    for (
      ;
      index < entries.length && index - from < LIST_ENTRIES_MAX && page.length < LIST_BYTES_MAX;
      index++
    ) {
      const entry = entries[index]
      if (entry !== undefined) page.u8(KINDS[entry.kind]).size(entry.inode).text(entry.name)
    }
    const hasMore = index < entries.length
    if (!hasMore) this.#listing = undefined
    return success().flag(hasMore).rest(page.end())
  }
}

class AnswerWriter extends MessageWriter {
  stat(stat: FileStat): this {
    return this.u8(KINDS[stat.kind])
      .size(stat.inode)
      .size(stat.bytes)
      .u32(stat.linkCount)
      .u64(BigInt.asUintN(64, stat.accessedNs))
      .u64(BigInt.asUintN(64, stat.modifiedNs))
      .u64(BigInt.asUintN(64, stat.changedNs))
  }
}

function success(): AnswerWriter {
  return new AnswerWriter().u8(0)
}
