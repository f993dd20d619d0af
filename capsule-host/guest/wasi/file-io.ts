import { FILE_CALL_BYTES_MAX } from '../file-messages.ts'
import { READ_AHEAD_BYTES_MIN, READ_AHEAD_FILES_MAX, WRITE_BEHIND_BYTES_MAX } from './constants.ts'
import type { FileDescriptor } from './descriptors.ts'
import { ERRNO, WasiError } from './errno.ts'
import type { FileClient } from './file-client.ts'
import type { FileReadLog } from './host.ts'
import { FLAG } from './rights.ts'
import { gather } from './vectors.ts'

/** Bytes of an answer of the host. */
interface Piece {
  readonly bytes: Uint8Array
  /** Which one, as {@link FileReadLog.lastAnswer} has it. */
  readonly answer: number
}

interface Ahead extends Piece {
  readonly offset: number
}

interface Behind {
  readonly file: FileDescriptor
  readonly offset: number
  readonly bytes: Uint8Array
  length: number
}

const SYNCED = FLAG.dataSync | FLAG.sync

/**
 * Reading and writing of open files. A call to the host costs as much as copying 64 KiB, so a program that reads on
 * gets more at a time, and small writes that follow each other are gathered.
 *
 * Nobody can tell: what was read ahead is forgotten before the program hears anything outside its files, and what was
 * gathered is handed over before it hears or says anything ({@link settle}, {@link flush}), before any other call on
 * files, and at its end. Where the host
 * refuses gathered bytes, the next write, sync or close of that file says so.
 */
export class FileIo {
  readonly #client: FileClient
  readonly #log: FileReadLog | undefined
  readonly #ahead = new Map<FileDescriptor, Ahead>()
  #behind: Behind | undefined

  /** `log` hears of each {@link read}. */
  constructor(client: FileClient, log?: FileReadLog) {
    this.#client = client
    this.#log = log
  }

  /** Up to `length` bytes from `offset`, fewer only at the end of the file. The array is good until the next call. */
  async read(
    file: FileDescriptor,
    { offset, length }: { offset: number; length: number }
  ): Promise<Uint8Array> {
    await this.flush()
    this.#log?.begin()
    const parts: Uint8Array[] = []
    let filled = 0
    for (let isMore = true; isMore && filled < length;) {
      const piece = await this.#piece(file, offset + filled, length - filled)
      parts.push(piece.bytes)
      this.#log?.add(piece.answer, piece.bytes.byteOffset, piece.bytes.byteLength)
      filled += piece.bytes.byteLength
      isMore = !piece.isLast
    }
    return gather(parts)
  }

  /** Writes all of `bytes`, which are copied, and gives back where they end. */
  async write(file: FileDescriptor, offset: number, bytes: Uint8Array): Promise<number> {
    this.#tell(file)
    if (offset + bytes.byteLength > Number.MAX_SAFE_INTEGER) throw new WasiError(ERRNO.fbig)
    this.#ahead.clear()
    const isPlain = (file.flags & (FLAG.append | SYNCED)) === 0
    if (isPlain && bytes.byteLength <= WRITE_BEHIND_BYTES_MAX / 2) await this.#gather(file, offset, bytes)
    else {
      await this.flush()
      this.#tell(file)
      return await this.#writeNow(file, offset, bytes)
    }
    return offset + bytes.byteLength
  }

  /** Hands over what was gathered. What goes wrong is kept for its file. */
  async flush(): Promise<void> {
    const behind = this.#behind
    if (behind === undefined) return
    this.#behind = undefined
    const { file, offset, bytes, length } = behind
    try {
      await this.#client.ask({
        operation: 'write',
        handle: file.handle,
        offset,
        bytes: bytes.subarray(0, length)
      })
    } catch (thrown) {
      if (!(thrown instanceof WasiError)) throw thrown
      file.failure ??= thrown.errno
    }
  }

  /** {@link flush}, and says what went wrong with `file`. */
  async finish(file: FileDescriptor): Promise<void> {
    await this.flush()
    this.#tell(file)
  }

  /** Comes before the program hears anything outside its files, and before every other call on them. */
  async settle(): Promise<void> {
    this.#ahead.clear()
    await this.flush()
  }

  /** Forgets a file that was closed. */
  forget(file: FileDescriptor): void {
    this.#ahead.delete(file)
  }

  async #piece(file: FileDescriptor, offset: number, length: number): Promise<Piece & { isLast: boolean }> {
    const ahead = this.#ahead.get(file)
    const skipped = ahead === undefined ? -1 : offset - ahead.offset
    if (ahead !== undefined && skipped >= 0 && skipped < ahead.bytes.byteLength) {
      const bytes = ahead.bytes.subarray(skipped, skipped + length)
      file.readEnd = offset + bytes.byteLength
      return { bytes, answer: ahead.answer, isLast: false }
    }
    file.aheadBytes =
      offset === file.readEnd
        ? Math.min(FILE_CALL_BYTES_MAX, Math.max(READ_AHEAD_BYTES_MIN, file.aheadBytes * 2))
        : 0
    const asked = Math.min(FILE_CALL_BYTES_MAX, Math.max(length, file.aheadBytes))
    const bytes = await this.#client.read(file.handle, { offset, length: asked })
    const answer = this.#log?.lastAnswer ?? 0
    file.readEnd = offset + Math.min(length, bytes.byteLength)
    if (bytes.byteLength > length) this.#keep(file, { offset, bytes, answer })
    return { bytes: bytes.subarray(0, length), answer, isLast: bytes.byteLength < asked }
  }

  #keep(file: FileDescriptor, ahead: Ahead): void {
    this.#ahead.delete(file)
    this.#ahead.set(file, ahead)
    const [oldest] = this.#ahead.keys()
    if (this.#ahead.size > READ_AHEAD_FILES_MAX && oldest !== undefined) this.#ahead.delete(oldest)
  }

  async #gather(file: FileDescriptor, offset: number, bytes: Uint8Array): Promise<void> {
    let behind = this.#behind
    const follows =
      behind?.file === file &&
      behind.offset + behind.length === offset &&
      behind.length + bytes.byteLength <= WRITE_BEHIND_BYTES_MAX
    if (behind === undefined || !follows) {
      // The view is of the program's memory, which stays as it is while the program waits.
      await this.flush()
      this.#tell(file)
      behind = { file, offset, bytes: new Uint8Array(WRITE_BEHIND_BYTES_MAX), length: 0 }
      this.#behind = behind
    }
    behind.bytes.set(bytes, behind.length)
    behind.length += bytes.byteLength
  }

  async #writeNow(file: FileDescriptor, offset: number, bytes: Uint8Array): Promise<number> {
    const { handle } = file
    let end = offset
    for (let done = 0; done < bytes.byteLength; done += FILE_CALL_BYTES_MAX) {
      const part = bytes.subarray(done, done + FILE_CALL_BYTES_MAX)
      if ((file.flags & FLAG.append) !== 0) end = await this.#client.append(handle, part)
      else {
        await this.#client.ask({ operation: 'write', handle, offset: end, bytes: part })
        end += part.byteLength
      }
    }
    if ((file.flags & SYNCED) !== 0) await this.#client.ask({ operation: 'sync', handle })
    return end
  }

  #tell(file: FileDescriptor): void {
    const { failure } = file
    file.failure = undefined
    if (failure !== undefined) throw new WasiError(failure)
  }
}
