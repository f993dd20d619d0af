import {
  encodeFileRequest,
  FILE_CALL_BYTES_MAX,
  FILE_STATUSES,
  type FileRequest,
  type FileStatus
} from '../file-messages.ts'
import { MessageReader, type TimesMessage } from '../message-codec.ts'
import { LISTED_ENTRIES_MAX } from './constants.ts'
import type { ListedEntry } from './descriptors.ts'
import { ERRNO, WasiError, type Errno } from './errno.ts'
import { FILE_TYPE } from './rights.ts'

/** What is at a path, in the numbers of WASI. */
export interface FileStatMessage {
  readonly fileType: number
  readonly inode: bigint
  readonly bytes: bigint
  readonly linkCount: number
  readonly accessedNs: bigint
  readonly modifiedNs: bigint
  readonly changedNs: bigint
}

/** What the program is told for each way a call can end. */
const ERRNOS: Readonly<Record<Exclude<FileStatus, 'success'>, Errno>> = {
  ERR_FILE_NOT_FOUND: ERRNO.noent,
  ERR_FILE_EXISTS: ERRNO.exist,
  ERR_FILE_IS_FOLDER: ERRNO.isdir,
  ERR_FILE_NOT_FOLDER: ERRNO.notdir,
  ERR_FILE_NOT_EMPTY: ERRNO.notempty,
  ERR_FILE_QUOTA: ERRNO.dquot,
  ERR_FILE_NO_SPACE: ERRNO.nospc,
  ERR_FILE_TOO_LARGE: ERRNO.fbig,
  ERR_FILE_DENIED: ERRNO.acces,
  ERR_FILE_READ_ONLY: ERRNO.rofs,
  ERR_FILE_PATH: ERRNO.ilseq,
  ERR_FILE_NAME_TOO_LONG: ERRNO.nametoolong,
  ERR_FILE_INVALID: ERRNO.inval,
  ERR_FILE_BUSY: ERRNO.busy,
  ERR_FILE_LOOP: ERRNO.loop,
  ERR_FILE_TOO_MANY_OPEN: ERRNO.mfile,
  ERR_FILE_UNSUPPORTED: ERRNO.notsup,
  ERR_FILE_IO: ERRNO.io,
  ERR_FILE_CORRUPT: ERRNO.io
}

const FILE_TYPES = [FILE_TYPE.file, FILE_TYPE.folder, FILE_TYPE.link]

/** The program's side of the calls on files. Every method throws {@link WasiError} as the host answered. */
export class FileClient {
  readonly #send: (request: Uint8Array) => Promise<Uint8Array>

  /** `send` asks the host, one question at a time. */
  constructor(send: (request: Uint8Array) => Promise<Uint8Array>) {
    this.#send = send
  }

  /** Asks, and gives back the fields of the answer. */
  async ask(request: FileRequest): Promise<MessageReader> {
    const answer = new MessageReader(await this.#send(encodeFileRequest(request)))
    const status = FILE_STATUSES[answer.u8()] ?? 'ERR_FILE_IO'
    if (status !== 'success') throw new WasiError(ERRNOS[status])
    return answer
  }

  /** What is at `path`. */
  async stat(path: string, isFollowing: boolean): Promise<FileStatMessage> {
    return readStat(await this.ask({ operation: 'stat', isFollowing, path }))
  }

  /** What is behind an open file. */
  async statHandle(handle: number): Promise<FileStatMessage> {
    return readStat(await this.ask({ operation: 'statHandle', handle }))
  }

  /** The names in a folder, as they were at one moment. */
  async list(path: string): Promise<ListedEntry[]> {
    const entries: ListedEntry[] = []
    const text = new TextEncoder()
    for (let hasMore = true; hasMore && entries.length < LISTED_ENTRIES_MAX;) {
      const page = await this.ask({ operation: 'list', from: entries.length, path })
      hasMore = page.flag()
      while (!page.isAtEnd) {
        entries.push({ fileType: fileType(page), inode: page.u64(), name: text.encode(page.text()) })
      }
    }
    return entries
  }

  /** Opens what is at `path`: a handle for a file, `undefined` for a folder. */
  async open(path: string, flags: number): Promise<number | undefined> {
    const answer = await this.ask({ operation: 'open', flags, path })
    return answer.flag() ? answer.u32() : undefined
  }

  /** Up to `length` bytes from `offset`, fewer only at the end. */
  async read(handle: number, { offset, length }: { offset: number; length: number }): Promise<Uint8Array> {
    const asked = Math.min(length, FILE_CALL_BYTES_MAX)
    return (await this.ask({ operation: 'read', handle, offset, length: asked })).rest()
  }

  /** Writes at most {@link FILE_CALL_BYTES_MAX} bytes at the end of a file; gives back where it ends then. */
  async append(handle: number, bytes: Uint8Array): Promise<number> {
    return (await this.ask({ operation: 'append', handle, bytes })).size()
  }

  /** Sets the times of what is at `path`. */
  async setTimes(path: string, o: { times: TimesMessage; isFollowing: boolean }): Promise<void> {
    await this.ask({ operation: 'setTimes', path, ...o })
  }
}

function readStat(answer: MessageReader): FileStatMessage {
  return {
    fileType: fileType(answer),
    inode: answer.u64(),
    bytes: answer.u64(),
    linkCount: answer.u32(),
    accessedNs: answer.u64(),
    modifiedNs: answer.u64(),
    changedNs: answer.u64()
  }
}

function fileType(answer: MessageReader): number {
  return FILE_TYPES[answer.u8()] ?? 0
}
