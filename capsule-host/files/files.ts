/** What is at a path. Links exist only where {@link CapsuleFiles.links} does. */
export type FileKind = 'file' | 'folder' | 'link'

/** A file, folder or link, without its content. */
export interface FileStat {
  readonly kind: FileKind
  /** Names it as long as it exists: two paths with the same number are the same file. 1 to 2^53 - 1. */
  readonly inode: number
  /** Bytes of a file; of a folder 0. */
  readonly bytes: number
  /** How many names it has; 1 but for hard links. */
  readonly linkCount: number
  /** Nanoseconds since 1970. */
  readonly accessedNs: bigint
  readonly modifiedNs: bigint
  readonly changedNs: bigint
}

/** One name in a folder. */
export interface FileEntry {
  readonly name: string
  readonly kind: FileKind
  readonly inode: number
}

/** What {@link CapsuleFiles.setTimes} sets, nanoseconds since 1970; `now` is the keeper's own clock. */
export interface FileTimes {
  readonly accessedNs?: bigint | 'now'
  readonly modifiedNs?: bigint | 'now'
}

/** Whether a link at the end of a path is followed; without {@link CapsuleFiles.links} there is nothing to follow. */
export interface LinkOptions {
  readonly isFollowing?: boolean
}

/** How {@link CapsuleFiles.open} opens. */
export interface OpenOptions extends LinkOptions {
  /** Make the file when there is none. */
  readonly isCreating?: boolean
  /** With `isCreating`: fail when there is one. */
  readonly isExclusive?: boolean
  /** Empty it. */
  readonly isTruncating?: boolean
  /** It will be written. */
  readonly isWriting?: boolean
}

/**
 * An open file. It stays the same file when its name is moved, and stays readable and writable until it is closed when
 * its name is removed. Offsets and lengths are whole numbers from 0 to 2^53 - 1.
 *
 * @throws FileError from every method
 */
export interface FileHandle {
  /** Up to `length` bytes from `offset`; fewer only at the end of the file. The array is the caller's. */
  read(offset: number, length: number): Promise<Uint8Array>
  /** All of `bytes` at `offset`; a gap reads as zeros. Takes what it keeps before it resolves. */
  write(offset: number, bytes: Uint8Array): Promise<void>
  /** Cuts the file or lengthens it with zeros. */
  truncate(bytes: number): Promise<void>
  /** Resolves when what was written survives a crash of the machine. */
  sync(): Promise<void>
  stat(): Promise<FileStat>
  setTimes(times: FileTimes): Promise<void>
  /** Called once; nothing after it. */
  close(): Promise<void>
}

/** Symbolic and hard links. A capsule's own files have none; the official WASI suite needs them. */
export interface FileLinks {
  /** What the link at `path` says. */
  read(path: string): Promise<string>
  /** Makes a link at `path` that says `target`; never followed out of the root. */
  make(target: string, path: string): Promise<void>
  /** Gives the file at `from` a second name. */
  join(from: string, to: string): Promise<void>
}

/**
 * One tree of files, all that a capsule can see of any disk. Paths are relative to its root and of one form: names
 * joined by single slashes, none empty, `.` or `..`, no control characters, the root itself the empty text. An
 * implementation refuses every other with `ERR_FILE_PATH`, see {@link checkFilePath}.
 *
 * @throws FileError from every method
 */
export interface CapsuleFiles {
  stat(path: string, options?: LinkOptions): Promise<FileStat>
  /** The names in a folder, in the same order as long as nothing changes. */
  list(path: string): Promise<readonly FileEntry[]>
  /** Opens a file. Of a folder: `ERR_FILE_IS_FOLDER`. */
  open(path: string, options: OpenOptions): Promise<FileHandle>
  makeFolder(path: string): Promise<void>
  /** Removes a file or link. Of a folder: `ERR_FILE_IS_FOLDER`. */
  remove(path: string): Promise<void>
  /** Removes an empty folder. */
  removeFolder(path: string): Promise<void>
  /** Moves a file or folder, atomically over a file or an empty folder that is there. */
  rename(from: string, to: string): Promise<void>
  setTimes(path: string, times: FileTimes, options?: LinkOptions): Promise<void>
  /** Absent where there are no links. */
  readonly links?: FileLinks
}
