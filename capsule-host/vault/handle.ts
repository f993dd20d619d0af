import { FileError } from '../files/errors.ts'
import type { FileHandle, FileTimes } from '../files/files.ts'
import { TRANSFER_BYTES_MAX } from './constants.ts'
import { statOf, type EntryTimes } from './entry.ts'
import type { OpenFile } from './open-file.ts'

/** What a handle asks of the root it belongs to. */
export interface HandleOwner {
  /** Runs a task that looks at something, in its turn. */
  take<T>(task: () => Promise<T>): Promise<T>
  /** Runs a task that changes something, in its turn. */
  change<T>(task: () => Promise<T>): Promise<T>
  sync(file: OpenFile): Promise<void>
  closing(file: OpenFile): Promise<void>
  newTimes(old: EntryTimes, times: FileTimes): EntryTimes
}

/** A handle of an open file, to read and, when asked for, to write. */
export function createHandle(files: HandleOwner, file: OpenFile, isWriting: boolean): FileHandle {
  let isClosed = false
  const checkOpen = (): void => {
    if (isClosed) throw new FileError('ERR_FILE_INVALID', 'expected an open file')
  }
  const checkWriting = (): void => {
    checkOpen()
    if (!isWriting) throw new FileError('ERR_FILE_DENIED', 'expected a file that was opened to be written')
  }
  return {
    read: async (offset, length) => {
      checkOpen()
      checkNumber(offset)
      checkNumber(length)
      return await files.take(() => file.read(offset, Math.min(length, TRANSFER_BYTES_MAX)))
    },
    write: async (offset, bytes) => {
      checkWriting()
      checkNumber(offset)
      await files.change(() => file.write(offset, bytes))
    },
    truncate: async (bytes) => {
      checkWriting()
      checkNumber(bytes)
      await files.change(() => file.truncate(bytes))
    },
    sync: async () => {
      checkOpen()
      await files.sync(file)
    },
    stat: async () => {
      checkOpen()
      return await files.take(async () =>
        statOf({ kind: 'file', inode: file.inode, bytes: file.bytes, ...file.times })
      )
    },
    setTimes: async (times) => {
      checkOpen()
      await files.change(async () => file.setTimes(files.newTimes(file.times, times)))
    },
    close: async () => {
      if (isClosed) return
      isClosed = true
      await files.closing(file)
    }
  }
}

function checkNumber(value: number): void {
  if (!Number.isSafeInteger(value) || value < 0) {
    throw new FileError('ERR_FILE_INVALID', 'expected a whole number from 0')
  }
}
