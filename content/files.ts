import { errorCode, errorMessage } from '#contracts'
import { ContentError } from './errors.ts'

/** What is at a path, without following a link in its last part. */
export interface FileFacts {
  readonly kind: 'file' | 'folder' | 'link' | 'special'
  readonly bytes: number
  /** Device and inode: the same for two names of one file, different for two files that exist at once. */
  readonly identity: string
}

/** An open regular file, read from front to back. */
export interface FileReader extends AsyncDisposable {
  readonly facts: FileFacts
  /** Fills `target` from the front as far as the file goes and returns how much; 0 at the end. */
  read(target: Uint8Array): Promise<number>
}

/** An open new file, written from front to back. */
export interface FileWriter extends AsyncDisposable {
  write(bytes: Uint8Array): Promise<void>
}

/** An open regular file that is read and written at any place. */
export interface StoredFile extends AsyncDisposable {
  /** Bytes of the file now. */
  size(): Promise<number>
  /** Fills `target` from `position` on as far as the file goes, and returns how much. */
  readAt(target: Uint8Array, position: number): Promise<number>
  /** Writes all parts, one after the other. When it fails, some of them may have been written. */
  writeAt(parts: readonly Uint8Array[], position: number): Promise<void>
  truncate(bytes: number): Promise<void>
  /** Waits until what was written is on the disk. */
  flush(): Promise<void>
}

/**
 * The disk as content uses it: `createFilePowers` for the real one. Errors are those of the operating system
 * (`code` is `ENOENT`, `ENOSPC`, …) and are translated where the caller knows what they mean.
 */
export interface FilePowers {
  /** `win32` has reserved names that no other system has. */
  readonly platform: string
  /** Makes a folder and its missing parents; an existing one is fine. */
  makeFolders(path: string, mode: number): Promise<void>
  /** Makes one folder; fails with `EEXIST` when anything is there. */
  makeFolder(path: string, mode: number): Promise<void>
  /** The names in a folder, unsorted, as the bytes the disk has; fails with `E2BIG` beyond `max`. */
  listNames(path: string, max: number): Promise<Uint8Array[]>
  /** `undefined` when nothing is there. */
  facts(path: string): Promise<FileFacts | undefined>
  realPath(path: string): Promise<string>
  /** A whole small file, or `undefined` when it is missing; fails with `EFBIG` beyond `bytesMax`. */
  readFile(path: string, bytesMax: number): Promise<Uint8Array | undefined>
  /** Creates a file that must not exist, never through a link. */
  writeNewFile(path: string, bytes: Uint8Array, mode: number): Promise<void>
  /** Opens for reading, never through a link in the last part, never waiting for a pipe. */
  openForRead(path: string): Promise<FileReader>
  /** Creates a file that must not exist and keeps it open. */
  openNew(path: string, mode: number): Promise<FileWriter>
  /**
   * Opens a file, never through a link; `write` makes it, `0600`, when it is missing, and `create` makes one that must
   * not exist, as the user's other files are.
   */
  openStored(path: string, how: 'read' | 'write' | 'create'): Promise<StoredFile>
  /** Waits until the bytes of a file, or the names of a folder, are on the disk; a missing path is fine. */
  flush(path: string): Promise<void>
  rename(from: string, to: string): Promise<void>
  /** Removes one file or link; a missing one is fine. */
  removeFile(path: string): Promise<void>
  /** Removes a folder with all in it, following no links; a missing one is fine. */
  removeTree(path: string): Promise<void>
  readLink(path: string): Promise<Uint8Array>
  makeLink(target: string, path: string): Promise<void>
  /** Bytes that an ordinary user may still write to the disk of that folder. */
  freeBytes(path: string): Promise<number>
}

/**
 * Memory to read into, whose bytes are whatever was there before: only what was read of it may be handed on.
 * Clearing a mebibyte that is overwritten at once costs as much as hashing a quarter of it.
 */
export function unclearedBytes(length: number): Uint8Array<ArrayBuffer> {
  return new Uint8Array(Buffer.allocUnsafeSlow(length).buffer)
}

/**
 * Gives an error of the operating system its code and a sentence.
 *
 * @param doing - what was attempted, as the start of the sentence: `cannot read /a/b`
 */
export function fileError(thrown: unknown, doing: string): Error {
  if (thrown instanceof ContentError) return thrown
  const cause = { cause: thrown }
  switch (errorCode(thrown)) {
    case 'ENOSPC':
    case 'EDQUOT':
      return new ContentError('ERR_DISK_FULL', `${doing}: the disk is full`, cause)
    case 'EACCES':
    case 'EPERM':
    case 'EROFS':
      return new ContentError('ERR_PATH_DENIED', `${doing}: permission denied`, cause)
    case 'ENOENT':
    case 'ENOTDIR':
      return new ContentError('ERR_PATH_NOT_FOUND', `${doing}: no such file or folder`, cause)
    case 'ELOOP':
      return new ContentError('ERR_PATH_CHANGED', `${doing}: expected a file and met a link`, cause)
    case 'E2BIG':
      return new ContentError('ERR_CONTENT_TOO_LARGE', `${doing}: too many entries in one folder`, cause)
    case 'AbortError':
    case 'ABORT_ERR':
      return thrown instanceof Error ? thrown : new Error('aborted', cause)
    default:
      if (thrown instanceof Error && errorCode(thrown) === undefined) return thrown
      return new ContentError('ERR_STORE_IO', `${doing}: ${errorMessage(thrown)}`, cause)
  }
}
