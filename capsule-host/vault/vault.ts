import { join } from 'node:path'
import type { Clock, Logger, Random } from '#contracts'
import { FileError } from '../files/errors.ts'
import type { CapsuleFiles, FileHandle } from '../files/files.ts'
import type { VaultAnchor, VaultAnchors } from './anchor.ts'
import { guarded } from './block-store.ts'
import { DEFAULT_ENTRIES_MAX, ENTRIES_LEAST, QUOTA_BYTES_PER_ENTRY } from './constants.ts'
import type { VaultDisk } from './disk.ts'
import { createVaultKey, type VaultKey } from './keys.ts'
import { openVolume, type VolumeInit } from './open-volume.ts'
import type { RootLimits } from './open-files.ts'
import { RootFiles } from './root-files.ts'

/** What {@link openVault} works with. */
export interface VaultComponents {
  readonly disk: VaultDisk
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
  /** Where it is kept how new each vault file is; without it an older one that is put back is not noticed. */
  readonly anchors?: VaultAnchors | undefined
}

/** Where a vault is and what opens it. */
export interface VaultInit {
  /** A folder of its own on the disk. */
  readonly folder: string
  /** 32 secret bytes of the device, such as its seed; every key is derived from them. */
  readonly secret: Uint8Array
  /** Whether a vault file is taken that is not as new as it was: its owner put it back. */
  readonly acceptsOlder?: boolean | undefined
}

/** How much a lineage may keep. */
export interface VaultRootInit {
  /** Bytes of all its files together, holes and what is not durable yet included. */
  readonly quotaBytes: number
  /** Files and folders; when absent one for each KiB of the quota, 256 to 65,536. */
  readonly entriesMax?: number
}

/** What a lineage keeps. */
export interface VaultUsage {
  /** Bytes of all files. */
  readonly bytes: number
  /** Files and folders. */
  readonly entries: number
  readonly quotaBytes: number
  readonly entriesMax: number
  /** Bytes on the disk, snapshots and free places included. */
  readonly diskBytes: number
}

/** A kept state of a root. */
export interface VaultSnapshot {
  readonly id: string
  /** Milliseconds since 1970. */
  readonly createdAtMs: number
  readonly bytes: number
  readonly entries: number
}

/**
 * The files of one lineage. A write is in the file at once for whoever reads it here, and in the file on the disk, all of it
 * or none, at `sync` or when the last handle is closed; what has a new name or none is durable a moment later, or at {@link flush}.
 * Disposing it closes the handles it opened.
 *
 * @throws FileError from every method
 */
export interface VaultRoot extends CapsuleFiles, AsyncDisposable {
  /** Makes `bytes` all that is in a file, made when there is none: for whoever looks, before or after, never between. */
  replace(path: string, bytes: Uint8Array): Promise<void>
  /** Makes what is closed, renamed and removed durable. */
  flush(): Promise<void>
  /** Keeps everything as it is now, open files included; costs no copy. */
  snapshot(): Promise<string>
  /** Goes back to a snapshot, which is kept. `ERR_FILE_BUSY` while files are open, `ERR_FILE_NOT_FOUND`. */
  restore(id: string): Promise<void>
  dropSnapshot(id: string): Promise<void>
  snapshots(): Promise<readonly VaultSnapshot[]>
  usage(): Promise<VaultUsage>
}

/** Encrypted files, a tree of them for each lineage. */
export interface Vault extends AsyncDisposable {
  /**
   * The files of a lineage, made when there are none. Several roots of one lineage share the files; the lowest of their
   * quotas holds.
   *
   * @throws FileError `ERR_FILE_CORRUPT` when nothing of it can be read, `ERR_FILE_NO_SPACE`, `ERR_FILE_IO`
   */
  root(lineage: string, init: VaultRootInit): Promise<VaultRoot>
  /** Whether the lineage keeps anything here. */
  has(lineage: string): Promise<boolean>
  /** Removes all that a lineage keeps, snapshots included. `ERR_FILE_BUSY` while a root of it is in use. */
  remove(lineage: string): Promise<void>
}

/** A vault file in use, and what each of its users allows it to hold. */
interface OpenRoot {
  readonly files: Promise<RootFiles>
  readonly users: Set<RootLimits>
}

/** Opens a vault; its folder is made when it is first needed. @throws FileError `ERR_FILE_INVALID` for a wrong secret */
export function openVault(components: VaultComponents, init: VaultInit): Vault {
  return new LineageVault(components, init)
}

class LineageVault implements Vault {
  readonly #components: VaultComponents
  readonly #folder: string
  readonly #acceptsOlder: boolean
  readonly #key: VaultKey
  readonly #roots = new Map<string, OpenRoot>()
  readonly #closing = new Map<string, Promise<unknown>>()
  readonly #users = new Set<AsyncDisposable>()

  constructor(components: VaultComponents, init: VaultInit) {
    this.#components = components
    this.#folder = init.folder
    this.#acceptsOlder = init.acceptsOlder ?? false
    this.#key = createVaultKey(init.secret)
  }

  async root(lineage: string, init: VaultRootInit): Promise<VaultRoot> {
    const { quotaBytes, entriesMax = entriesWithin(quotaBytes) } = init
    const limits = { quotaBytes, entriesMax }
    await this.#closed(lineage)
    const open = this.#roots.get(lineage) ?? this.#open(lineage, limits)
    open.users.add(limits)
    try {
      const files = await open.files
      files.limits = lowest(open.users)
      const root = createRoot(files, async () => {
        this.#users.delete(root)
        await this.#leave(lineage, open, limits)
      })
      this.#users.add(root)
      return root
    } catch (thrown) {
      this.#roots.delete(lineage)
      throw thrown
    }
  }

  async has(lineage: string): Promise<boolean> {
    if (this.#roots.has(lineage)) return true
    const file = await guarded('open', this.#components.disk.openFile(this.#path(lineage)))
    await file?.[Symbol.asyncDispose]()
    // One that is gone, and should not be, can still be removed.
    return file !== undefined || (await this.#anchorOf(lineage)) !== undefined
  }

  async remove(lineage: string): Promise<void> {
    await this.#closed(lineage)
    if (this.#roots.has(lineage)) {
      throw new FileError('ERR_FILE_BUSY', 'expected nobody to use the files that are removed')
    }
    const removing = this.#remove(lineage)
    this.#closing.set(lineage, removing)
    try {
      await removing
    } finally {
      this.#closing.delete(lineage)
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const ended = await Promise.allSettled(
      [...this.#users].map(async (user) => await user[Symbol.asyncDispose]())
    )
    const failed = ended.find((end) => end.status === 'rejected')
    if (failed !== undefined) throw failed.reason
  }

  async #remove(lineage: string): Promise<void> {
    if (!(await this.has(lineage))) return
    const { disk, anchors } = this.#components
    // First: a file without an anchor is a file, an anchor without a file is a fault.
    await anchors?.remove(this.#key.fileName(lineage))
    await guarded('remove', disk.remove(this.#path(lineage)))
    await guarded('sync', disk.syncFolder(this.#folder))
  }

  /** Waits while a vault file is being closed or removed. */
  async #closed(lineage: string): Promise<void> {
    for (
      let closing = this.#closing.get(lineage);
      closing !== undefined;
      closing = this.#closing.get(lineage)
    ) {
      await Promise.allSettled([closing])
    }
  }

  #open(lineage: string, limits: RootLimits): OpenRoot {
    const { clock, logger } = this.#components
    const components = { ...this.#components, key: this.#key }
    const files = openVolume(components, this.#placeOf(lineage)).then(
      (volume) => new RootFiles({ volume, clock, logger }, limits)
    )
    const open = { files, users: new Set<RootLimits>() }
    this.#roots.set(lineage, open)
    return open
  }

  /** The last one to leave closes the file. */
  async #leave(lineage: string, open: OpenRoot, limits: RootLimits): Promise<void> {
    open.users.delete(limits)
    if (open.users.size > 0) {
      const files = await open.files
      files.limits = lowest(open.users)
      return
    }
    this.#roots.delete(lineage)
    const closing = open.files.then((files) => files.end())
    this.#closing.set(lineage, closing)
    try {
      await closing
    } finally {
      this.#closing.delete(lineage)
    }
  }

  #placeOf(lineage: string): VolumeInit {
    return { folder: this.#folder, lineage, acceptsOlder: this.#acceptsOlder }
  }

  async #anchorOf(lineage: string): Promise<VaultAnchor | undefined> {
    return await this.#components.anchors?.get(this.#key.fileName(lineage))
  }

  #path(lineage: string): string {
    return join(this.#folder, this.#key.fileName(lineage))
  }
}

/** However small its files are, what a root takes on the disk stays within a few times its quota. */
function entriesWithin(quotaBytes: number): number {
  const entries = Math.floor(quotaBytes / QUOTA_BYTES_PER_ENTRY)
  return Math.min(DEFAULT_ENTRIES_MAX, Math.max(ENTRIES_LEAST, entries))
}

/** What all users allow. */
function lowest(users: ReadonlySet<RootLimits>): RootLimits {
  const all = [...users]
  return {
    quotaBytes: Math.min(...all.map(({ quotaBytes }) => quotaBytes)),
    entriesMax: Math.min(...all.map(({ entriesMax }) => entriesMax))
  }
}

/** One user's view of shared files: it knows the handles it opened. */
function createRoot(files: RootFiles, leave: () => Promise<void>): VaultRoot {
  const handles = new Set<FileHandle>()
  let leaving: Promise<void> | undefined
  const held = (): RootFiles => {
    if (leaving !== undefined)
      throw new FileError('ERR_FILE_INVALID', 'expected a root that was not let go of')
    return files
  }
  const { volume } = files
  return {
    stat: async (path) => await held().stat(path),
    list: async (path) => await held().list(path),
    open: async (path, options) => {
      const handle = await held().open(path, options)
      handles.add(handle)
      return {
        ...handle,
        close: async () => {
          handles.delete(handle)
          await handle.close()
        }
      }
    },
    makeFolder: async (path) => await held().makeFolder(path),
    remove: async (path) => await held().remove(path),
    removeFolder: async (path) => await held().removeFolder(path),
    rename: async (from, to) => await held().rename(from, to),
    setTimes: async (path, times) => await held().setTimes(path, times),
    replace: async (path, bytes) => await held().replace(path, bytes.slice()),
    flush: async () => await held().flush(),
    snapshot: async () => await held().snapshot(),
    restore: async (id) => await held().restore(id),
    dropSnapshot: async (id) => await held().take(() => volume.dropSnapshot(id)),
    snapshots: async () => {
      held()
      return volume.snapshots.map(({ id, createdAtMs, bytes, entries }) => ({
        id,
        createdAtMs,
        bytes,
        entries
      }))
    },
    usage: async () => {
      const { quotaBytes, entriesMax } = held().limits
      return {
        bytes: files.bytes,
        entries: volume.entries,
        quotaBytes,
        entriesMax,
        diskBytes: volume.blocks.fileBytes
      }
    },
    [Symbol.asyncDispose]: async () => {
      leaving ??= closeAll(handles).finally(leave)
      await leaving
    }
  }
}

async function closeAll(handles: ReadonlySet<FileHandle>): Promise<void> {
  const closed = await Promise.allSettled([...handles].map(async (handle) => await handle.close()))
  const failed = closed.find((end) => end.status === 'rejected')
  if (failed !== undefined) throw failed.reason
}
