import type { VaultDisk, VaultFile } from '../../capsule-host/vault/disk.ts'

/** One write, cut or sync of a file, in the order they came. */
export type DiskStep =
  | { readonly kind: 'write'; readonly file: DiskFile; readonly offset: number; readonly bytes: Uint8Array }
  | { readonly kind: 'truncate'; readonly file: DiskFile; readonly bytes: number }
  | { readonly kind: 'sync'; readonly file: DiskFile }
  | { readonly kind: 'name'; readonly change: NameChange }
  | { readonly kind: 'syncFolder' }

/** A name that was given, moved or taken. */
export type NameChange =
  | { readonly path: string; readonly file: DiskFile }
  | { readonly path: string; readonly movedTo: string }
  | { readonly path: string; readonly file: undefined }

/** A file of a {@link MemoryDisk}. */
export class DiskFile {
  content: Uint8Array = new Uint8Array(0)

  write(offset: number, bytes: Uint8Array): void {
    if (offset + bytes.length > this.content.length) this.truncate(offset + bytes.length)
    this.content.set(bytes, offset)
  }

  truncate(length: number): void {
    const next = new Uint8Array(length)
    next.set(this.content.subarray(0, length))
    this.content = next
  }
}

/** A disk in memory that remembers every step, can be full, and can fail. */
export class MemoryDisk implements VaultDisk {
  readonly files: Map<string, DiskFile> = new Map()
  readonly steps: DiskStep[] = []
  /** Bytes that all files may have; written over is what is there already. */
  bytesMax: number = Number.POSITIVE_INFINITY
  /** Called before every step; what it throws is what the disk says. */
  before: (step: DiskStep) => void = () => undefined

  #take(step: DiskStep): void {
    this.before(step)
    this.steps.push(step)
  }

  get bytes(): number {
    return [...this.files.values()].reduce((sum, file) => sum + file.content.length, 0)
  }

  async makeFolder(): Promise<void> {
    // Folders are only in paths.
  }

  async openFile(path: string): Promise<VaultFile | undefined> {
    const file = this.files.get(path)
    return file === undefined ? undefined : this.#open(file)
  }

  async createFile(path: string): Promise<VaultFile> {
    const file = new DiskFile()
    this.#take({ kind: 'name', change: { path, file } })
    this.files.set(path, file)
    return this.#open(file)
  }

  async rename(from: string, to: string): Promise<void> {
    const file = this.files.get(from)
    if (file === undefined) throw Object.assign(new Error('no such file'), { code: 'ENOENT' })
    this.#take({ kind: 'name', change: { path: from, movedTo: to } })
    this.files.delete(from)
    this.files.set(to, file)
  }

  async remove(path: string): Promise<void> {
    this.#take({ kind: 'name', change: { path, file: undefined } })
    this.files.delete(path)
  }

  async syncFolder(): Promise<void> {
    this.#take({ kind: 'syncFolder' })
  }

  #open(file: DiskFile): VaultFile {
    return {
      size: async () => file.content.length,
      read: async (offset, target) => {
        const source = file.content.subarray(offset, offset + target.length)
        target.set(source)
        return source.length
      },
      write: async (offset, parts) => {
        const bytes = Uint8Array.from(Buffer.concat(parts as Uint8Array[]))
        this.#take({ kind: 'write', file, offset, bytes })
        const grown = Math.max(0, offset + bytes.length - file.content.length)
        if (this.bytes + grown > this.bytesMax) throw Object.assign(new Error('full'), { code: 'ENOSPC' })
        file.write(offset, bytes)
      },
      sync: async () => this.#take({ kind: 'sync', file }),
      truncate: async (bytes) => {
        this.#take({ kind: 'truncate', file, bytes })
        file.truncate(bytes)
      },
      [Symbol.asyncDispose]: async () => undefined
    }
  }
}

/**
 * What a disk may hold when the machine lost its power after the first `count` steps: all that was synced, and of the
 * rest what `survives` says, a write also torn at any of its sectors.
 *
 * @param survives - for a step that was not synced: all of it, nothing, or that many of its bytes
 */
export function diskAfterCrash(
  steps: readonly DiskStep[],
  count: number,
  survives: (bytes: number) => boolean | number
): MemoryDisk {
  const disk = new MemoryDisk()
  const copies = new Map<DiskFile, DiskFile>()
  const copyOf = (file: DiskFile): DiskFile => {
    const copy = copies.get(file) ?? new DiskFile()
    copies.set(file, copy)
    return copy
  }
  const past = steps.slice(0, count)
  const lastFolderSync = past.findLastIndex((step) => step.kind === 'syncFolder')
  past.forEach((step, at) => {
    if (step.kind === 'name') {
      // Names change in their order, as a journal of a file system keeps it.
      if (at > lastFolderSync && survives(0) === false) return
      applyName(disk, step.change, copyOf)
    } else if (step.kind === 'write' || step.kind === 'truncate') {
      const isSynced = past.some(
        (later, index) => index > at && later.kind === 'sync' && later.file === step.file
      )
      const fate = isSynced ? true : survives(step.kind === 'write' ? step.bytes.length : 0)
      if (fate === false) return
      if (step.kind === 'truncate') copyOf(step.file).truncate(step.bytes)
      else copyOf(step.file).write(step.offset, fate === true ? step.bytes : step.bytes.subarray(0, fate))
    }
  })
  return disk
}

function applyName(disk: MemoryDisk, change: NameChange, copyOf: (file: DiskFile) => DiskFile): void {
  if ('movedTo' in change) {
    const file = disk.files.get(change.path)
    if (file === undefined) return
    disk.files.delete(change.path)
    disk.files.set(change.movedTo, file)
  } else if (change.file === undefined) disk.files.delete(change.path)
  else disk.files.set(change.path, copyOf(change.file))
}
