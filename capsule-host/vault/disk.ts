/** An open file of the real disk, or of a simulated one. */
export interface VaultFile extends AsyncDisposable {
  /** How long it is. */
  size(): Promise<number>
  /** Fills `target` from `offset` as far as the file goes and returns how much. */
  read(offset: number, target: Uint8Array): Promise<number>
  /** Writes `parts` one after the other from `offset`; all of it, or it throws. */
  write(offset: number, parts: readonly Uint8Array[]): Promise<void>
  /** Waits until everything written is on the disk. */
  sync(): Promise<void>
  /** Cuts the file. */
  truncate(bytes: number): Promise<void>
}

/**
 * The disk as a vault uses it: flat files in one folder. Errors are those of the operating system (`code` is
 * `ENOSPC`, …). Nothing here follows a link in the last part of a path.
 */
export interface VaultDisk {
  /** Makes a folder for its owner alone, and its missing parents; an existing one is fine unless it is a link. */
  makeFolder(path: string): Promise<void>
  /** Opens a plain file for reading and writing; `undefined` when there is none. */
  openFile(path: string): Promise<VaultFile | undefined>
  /** Creates an empty file for its owner alone and opens it; an old one of that name is gone before. */
  createFile(path: string): Promise<VaultFile>
  /** Puts a file in the place of another, in one step. */
  rename(from: string, to: string): Promise<void>
  /** Removes one file or link; a missing one is fine. */
  remove(path: string): Promise<void>
  /** Waits until the names of a folder are on the disk. */
  syncFolder(path: string): Promise<void>
}
