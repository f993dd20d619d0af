import { constants, promises as fs } from 'node:fs'
import type { FileHandle } from 'node:fs/promises'
import type { Stats } from 'node:fs'
import { unclearedBytes } from './files.ts'
import type { FileFacts, FilePowers, FileReader, FileWriter, StoredFile } from './files.ts'

const READ_FLAGS = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK
const STORED_FLAGS = {
  read: READ_FLAGS,
  write: constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW,
  create: constants.O_RDWR | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW
}
const NEW_FLAGS = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW

function isMissing(thrown: unknown): boolean {
  return typeof thrown === 'object' && thrown !== null && 'code' in thrown && thrown.code === 'ENOENT'
}

function coded(code: string): Error {
  return Object.assign(new Error(code), { code })
}

function kindOf(stats: Stats): FileFacts['kind'] {
  if (stats.isFile()) return 'file'
  if (stats.isDirectory()) return 'folder'
  return stats.isSymbolicLink() ? 'link' : 'special'
}

function factsOf(stats: Stats): FileFacts {
  return { kind: kindOf(stats), bytes: stats.size, identity: `${stats.dev}:${stats.ino}` }
}

async function writeAll(handle: FileHandle, bytes: Uint8Array): Promise<void> {
  let offset = 0
  while (offset < bytes.length) {
    const { bytesWritten } = await handle.write(bytes, offset, bytes.length - offset)
    offset += bytesWritten
  }
}

async function fill(handle: FileHandle, target: Uint8Array): Promise<number> {
  let filled = 0
  while (filled < target.length) {
    const { bytesRead } = await handle.read(target, filled, target.length - filled, null)
    if (bytesRead === 0) break
    filled += bytesRead
  }
  return filled
}

async function fillAt(handle: FileHandle, target: Uint8Array, position: number): Promise<number> {
  let filled = 0
  while (filled < target.length) {
    const rest = target.length - filled
    const { bytesRead } = await handle.read(target, filled, rest, position + filled)
    if (bytesRead === 0) break
    filled += bytesRead
  }
  return filled
}

async function writeAllAt(handle: FileHandle, parts: readonly Uint8Array[], position: number): Promise<void> {
  let left = parts.filter(({ length }) => length > 0)
  let at = position
  while (left.length > 0) {
    const { bytesWritten } = await handle.writev(left, at)
    at += bytesWritten
    left = withoutFirst(left, bytesWritten)
  }
}

function withoutFirst(parts: readonly Uint8Array[], bytes: number): Uint8Array[] {
  let skip = bytes
  const first = parts.findIndex(({ length }) => {
    if (skip < length) return true
    skip -= length
    return false
  })
  if (first < 0) return []
  const [cut, ...rest] = parts.slice(first)
  return cut === undefined ? [] : [cut.subarray(skip), ...rest]
}

async function openStored(path: string, how: keyof typeof STORED_FLAGS): Promise<StoredFile> {
  const handle = await fs.open(path, STORED_FLAGS[how], how === 'create' ? 0o666 : 0o600)
  return {
    size: async () => (await handle.stat()).size,
    readAt: async (target, position) => await fillAt(handle, target, position),
    writeAt: async (parts, position) => await writeAllAt(handle, parts, position),
    truncate: async (bytes) => await handle.truncate(bytes),
    flush: async () => await handle.datasync(),
    [Symbol.asyncDispose]: async () => await handle.close()
  }
}

async function listNames(path: string, max: number): Promise<Uint8Array[]> {
  const names: Uint8Array[] = []
  // The type of the encoding option lacks 'buffer', which opendir takes.
  const folder = await fs.opendir(path, { encoding: 'buffer' as BufferEncoding })
  for await (const entry of folder) {
    if (names.length >= max) throw coded('E2BIG')
    names.push(entry.name as unknown as Uint8Array)
  }
  return names
}

async function readFile(path: string, bytesMax: number): Promise<Uint8Array | undefined> {
  let handle: FileHandle
  try {
    handle = await fs.open(path, READ_FLAGS)
  } catch (thrown) {
    if (isMissing(thrown)) return undefined
    throw thrown
  }
  try {
    const { size } = await handle.stat()
    if (size > bytesMax) throw coded('EFBIG')
    const target = unclearedBytes(size)
    return target.subarray(0, await fill(handle, target))
  } finally {
    await handle.close()
  }
}

async function openForRead(path: string): Promise<FileReader> {
  const handle = await fs.open(path, READ_FLAGS)
  try {
    const facts = factsOf(await handle.stat())
    return {
      facts,
      read: async (target) => await fill(handle, target),
      [Symbol.asyncDispose]: async () => await handle.close()
    }
  } catch (thrown) {
    await handle.close()
    throw thrown
  }
}

async function openNew(path: string, mode: number): Promise<FileWriter> {
  const handle = await fs.open(path, NEW_FLAGS, mode)
  return {
    write: async (bytes) => await writeAll(handle, bytes),
    [Symbol.asyncDispose]: async () => await handle.close()
  }
}

async function writeNewFile(path: string, bytes: Uint8Array, mode: number): Promise<void> {
  const handle = await fs.open(path, NEW_FLAGS, mode)
  try {
    await writeAll(handle, bytes)
  } finally {
    await handle.close()
  }
}

async function flush(path: string): Promise<void> {
  let handle: FileHandle
  try {
    handle = await fs.open(path, constants.O_RDONLY)
  } catch (thrown) {
    if (isMissing(thrown)) return
    throw thrown
  }
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

/** The real disk. */
export function createFilePowers(): FilePowers {
  return {
    platform: process.platform,
    makeFolders: async (path, mode) => {
      await fs.mkdir(path, { recursive: true, mode })
    },
    makeFolder: async (path, mode) => await fs.mkdir(path, { mode }),
    listNames,
    facts: async (path) => {
      try {
        return factsOf(await fs.lstat(path))
      } catch (thrown) {
        if (isMissing(thrown)) return undefined
        throw thrown
      }
    },
    realPath: async (path) => await fs.realpath(path),
    readFile,
    writeNewFile,
    openForRead,
    openNew,
    openStored,
    flush,
    rename: async (from, to) => await fs.rename(from, to),
    removeFile: async (path) => await fs.rm(path, { force: true }),
    removeTree: async (path) => await fs.rm(path, { force: true, recursive: true }),
    readLink: async (path) => await fs.readlink(path, { encoding: 'buffer' }),
    makeLink: async (target, path) => await fs.symlink(target, path),
    freeBytes: async (path) => {
      const { bavail, bsize } = await fs.statfs(path)
      return bavail * bsize
    }
  }
}
