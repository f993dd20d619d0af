import { dirname } from 'node:path'
import type { PrivateFiles, PrivateFileStat } from '#did'

/** A write that is not durable yet. */
export interface Pending {
  readonly apply: () => void
  /** What is left of it when the power fails halfway, where half of it can be there. */
  readonly tear?: () => void
}

/** An error as the system makes them. */
export function systemError(code: 'EEXIST' | 'ENOENT' | 'ENOSPC', path: string): Error {
  return Object.assign(new Error(`${code}: ${path}`), { code })
}

/** What a run of a node does with its files. */
export interface MountInit {
  /** Makes a write durable. @throws an error of the system */
  readonly durable: (write: Pending) => Promise<void>
  /** Whether folders are not synced although it is said that they are. */
  readonly isHasty: () => boolean
}

/** The files of a device: their names are durable only once their folder was synced, as POSIX has it. */
export interface DiskFiles {
  mount(init: MountInit): PrivateFiles
  /** `keptOf` says how many of the changes of folders that were not synced are there after all, in their order. */
  crash(keptOf: (operations: number) => number): void
}

interface FileEntry {
  readonly stat: PrivateFileStat
  readonly bytes: Uint8Array
}

type Entries = Map<string, FileEntry>

const OWNER_ID = 1000
const FOLDER: FileEntry = {
  stat: { kind: 'folder', mode: 0o700, ownerId: OWNER_ID },
  bytes: new Uint8Array()
}

/** Files of which there are none. */
export function createDiskFiles(): DiskFiles {
  const names = new Names()
  return { mount: (init) => mountFiles(names, init), crash: (keptOf) => names.crash(keptOf) }
}

/** The names of files as whoever runs sees them, and as they are on the disk. */
class Names {
  seen: Entries = new Map()
  readonly kept: Entries = new Map()
  #unsynced: { readonly folder: string; readonly apply: () => void }[] = []

  change(folder: string, apply: (entries: Entries) => void): void {
    apply(this.seen)
    this.#unsynced.push({ folder, apply: () => apply(this.kept) })
  }

  take(path: string): FileEntry {
    const entry = this.seen.get(path)
    if (entry === undefined) throw systemError('ENOENT', path)
    return entry
  }

  /** What syncing a folder makes durable: the changes until now. */
  sync(folder: string): () => void {
    const due = new Set(this.#unsynced.filter((one) => one.folder === folder))
    return () => {
      for (const one of this.#unsynced) if (due.has(one)) one.apply()
      this.#unsynced = this.#unsynced.filter((one) => !due.has(one))
    }
  }

  crash(keptOf: (operations: number) => number): void {
    for (const { apply } of this.#unsynced.slice(0, keptOf(this.#unsynced.length))) apply()
    this.#unsynced = []
    this.seen = new Map(this.kept)
  }
}

function mountFiles(names: Names, { durable, isHasty }: MountInit): PrivateFiles {
  return {
    stat: async (path) => names.seen.get(path)?.stat,
    read: async (path, bytesMax) => {
      const entry = names.seen.get(path)
      return entry && { stat: entry.stat, bytes: entry.bytes.slice(0, bytesMax + 1) }
    },
    createFile: async (path, bytes) => {
      if (names.seen.has(path)) throw systemError('EEXIST', path)
      if (!names.seen.has(dirname(path))) throw systemError('ENOENT', path)
      const stat: PrivateFileStat = { kind: 'file', mode: 0o600, ownerId: OWNER_ID }
      const create = (content: Uint8Array) => (): void => {
        names.change(dirname(path), (entries) => entries.set(path, { stat, bytes: content }))
      }
      await durable({ apply: create(bytes.slice()), tear: create(bytes.slice(0, bytes.length >> 1)) })
    },
    link: async (path, newPath) => {
      if (names.seen.has(newPath)) throw systemError('EEXIST', newPath)
      const entry = names.take(path)
      names.change(dirname(newPath), (entries) => entries.set(newPath, entry))
    },
    rename: async (path, newPath) => {
      const entry = names.take(path)
      names.change(dirname(newPath), (entries) => {
        entries.set(newPath, entry)
        entries.delete(path)
      })
    },
    remove: async (path) => {
      names.change(dirname(path), (entries) => entries.delete(path))
    },
    createFolder: async (path) => {
      for (let at = path; !names.seen.has(at); at = dirname(at)) {
        names.seen.set(at, FOLDER)
        names.kept.set(at, FOLDER)
      }
    },
    list: async (folder) => {
      const prefix = `${folder}/`
      return [...names.seen.keys()].flatMap((path) => {
        const name = path.startsWith(prefix) ? path.slice(prefix.length) : ''
        return name === '' || name.includes('/') ? [] : [name]
      })
    },
    syncFolder: async (folder) => {
      if (!isHasty()) await durable({ apply: names.sync(folder) })
    },
    userId: () => OWNER_ID,
    processId: () => 1,
    isProcessAlive: (processId) => processId === 1
  }
}
