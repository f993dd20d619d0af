import type { Clock } from '#contracts'
import { FileError } from './errors.ts'
import type {
  CapsuleFiles,
  FileEntry,
  FileHandle,
  FileLinks,
  FileStat,
  FileTimes,
  LinkOptions,
  OpenOptions
} from './files.ts'
import { FileTree, type TreeNode } from './file-tree.ts'
import { checkFilePath } from './paths.ts'

/** Options of {@link createMemoryFiles}. */
export interface MemoryFilesInit {
  readonly clock: Pick<Clock, 'nowMs'>
  /** Bytes of all files together; 64 MiB when absent. */
  readonly bytesMax?: number
  /** Files, folders and links; 65,536 when absent. */
  readonly entriesMax?: number
  /** Whether there are symbolic and hard links. */
  readonly hasLinks?: boolean
}

const BYTES_MAX = 64 * 1024 * 1024
const ENTRIES_MAX = 65_536

/** Files that are forgotten with the process, for tests and for capsules that may keep nothing. */
export function createMemoryFiles(init: MemoryFilesInit): CapsuleFiles {
  const { clock, bytesMax = BYTES_MAX, entriesMax = ENTRIES_MAX, hasLinks = false } = init
  const tree = new FileTree({ nowNs: () => BigInt(Math.floor(clock.nowMs() * 1e6)), bytesMax, entriesMax })
  const files = new MemoryFiles(tree)
  return hasLinks ? Object.assign(files, { links: memoryLinks(tree) }) : files
}

class MemoryFiles implements CapsuleFiles {
  readonly #tree: FileTree

  constructor(tree: FileTree) {
    this.#tree = tree
  }

  stat(path: string, { isFollowing = false }: LinkOptions = {}): Promise<FileStat> {
    return now(() => statOf(this.#tree.node(checkFilePath(path), isFollowing)))
  }

  list(path: string): Promise<readonly FileEntry[]> {
    return now(() => {
      const { children } = this.#tree.folder(checkFilePath(path))
      return [...children].map(([name, { kind, inode }]) => ({ name, kind, inode }))
    })
  }

  open(path: string, options: OpenOptions): Promise<FileHandle> {
    return now(() => new MemoryHandle(this.#tree, this.#tree.open(checkFilePath(path), options)))
  }

  makeFolder(path: string): Promise<void> {
    return now(() => {
      this.#tree.make(checkFilePath(path), 'folder')
    })
  }

  remove(path: string): Promise<void> {
    return now(() => this.#tree.remove(checkFilePath(path)))
  }

  removeFolder(path: string): Promise<void> {
    return now(() => this.#tree.removeFolder(checkFilePath(path)))
  }

  rename(from: string, to: string): Promise<void> {
    return now(() => this.#tree.rename(checkFilePath(from), checkFilePath(to)))
  }

  setTimes(path: string, times: FileTimes, { isFollowing = false }: LinkOptions = {}): Promise<void> {
    return now(() => this.#tree.setTimes(this.#tree.node(checkFilePath(path), isFollowing), times))
  }
}

class MemoryHandle implements FileHandle {
  readonly #tree: FileTree
  readonly #node: TreeNode

  constructor(tree: FileTree, node: TreeNode) {
    this.#tree = tree
    this.#node = node
  }

  read(offset: number, length: number): Promise<Uint8Array> {
    return now(() => this.#node.content.slice(offset, Math.min(offset + length, this.#node.bytes)))
  }

  write(offset: number, bytes: Uint8Array): Promise<void> {
    return now(() => this.#tree.write(this.#node, offset, bytes))
  }

  truncate(bytes: number): Promise<void> {
    return now(() => this.#tree.resize(this.#node, bytes))
  }

  sync(): Promise<void> {
    return Promise.resolve()
  }

  stat(): Promise<FileStat> {
    return now(() => statOf(this.#node))
  }

  setTimes(times: FileTimes): Promise<void> {
    return now(() => this.#tree.setTimes(this.#node, times))
  }

  close(): Promise<void> {
    return now(() => this.#tree.released(this.#node))
  }
}

function memoryLinks(tree: FileTree): FileLinks {
  return {
    read: (path) =>
      now(() => {
        const node = tree.node(checkFilePath(path), false)
        if (node.kind !== 'link') throw new FileError('ERR_FILE_INVALID', 'expected a link')
        return node.target
      }),
    make: (target, path) =>
      now(() => {
        const names = checkFilePath(path)
        if (target.startsWith('/'))
          throw new FileError('ERR_FILE_DENIED', 'expected a link to a relative path')
        tree.make(names, 'link').target = target
      }),
    join: (from, to) => now(() => tree.join(checkFilePath(from), checkFilePath(to)))
  }
}

function statOf(node: TreeNode): FileStat {
  const { kind, inode, bytes, linkCount, accessedNs, modifiedNs, changedNs } = node
  return { kind, inode, bytes, linkCount, accessedNs, modifiedNs, changedNs }
}

/** Runs `task` and gives what it returns or throws as a promise. */
async function now<T>(task: () => T): Promise<T> {
  return await Promise.resolve(task())
}
