import { constants } from 'node:fs'
import { lstat, mkdir, open, rename, unlink, type FileHandle } from 'node:fs/promises'
import { unlessMissing } from '#contracts'
import type { VaultDisk, VaultFile } from './disk.ts'

const OPEN_FLAGS = constants.O_RDWR | constants.O_NOFOLLOW | constants.O_NONBLOCK
const CREATE_FLAGS = constants.O_RDWR | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW

function coded(code: string, message: string): Error {
  return Object.assign(new Error(message), { code })
}

async function fill(handle: FileHandle, target: Uint8Array, offset: number): Promise<number> {
  let filled = 0
  while (filled < target.length) {
    const { bytesRead } = await handle.read(target, filled, target.length - filled, offset + filled)
    if (bytesRead === 0) break
    filled += bytesRead
  }
  return filled
}

async function writeAll(handle: FileHandle, parts: readonly Uint8Array[], offset: number): Promise<void> {
  const total = parts.reduce((sum, part) => sum + part.length, 0)
  const first = parts[0]
  if (first === undefined || total === 0) return
  const { bytesWritten } =
    parts.length === 1
      ? await handle.write(first, 0, first.length, offset)
      : await handle.writev(parts as Uint8Array[], offset)
  if (bytesWritten === total) return
  // A short write: what is left is put together and written piece by piece.
  const rest = Buffer.concat(parts).subarray(bytesWritten)
  let written = 0
  while (written < rest.length) {
    const at = offset + bytesWritten + written
    const step = await handle.write(rest, written, rest.length - written, at)
    if (step.bytesWritten === 0) throw coded('ENOSPC', 'nothing more could be written')
    written += step.bytesWritten
  }
}

function wrap(handle: FileHandle): VaultFile {
  return {
    size: async () => (await handle.stat()).size,
    read: async (offset, target) => await fill(handle, target, offset),
    write: async (offset, parts) => await writeAll(handle, parts, offset),
    sync: async () => await handle.datasync(),
    truncate: async (bytes) => await handle.truncate(bytes),
    [Symbol.asyncDispose]: async () => await handle.close()
  }
}

/** The real disk, for vaults. */
export const systemVaultDisk: VaultDisk = {
  makeFolder: async (path) => {
    await mkdir(path, { recursive: true, mode: 0o700 })
    if (!(await lstat(path)).isDirectory()) throw coded('ENOTDIR', 'expected a folder, got a link')
  },
  openFile: async (path) => {
    const handle = await unlessMissing(open(path, OPEN_FLAGS))
    if (handle === undefined) return undefined
    try {
      if (!(await handle.stat()).isFile()) throw coded('EINVAL', 'expected a plain file')
      return wrap(handle)
    } catch (thrown) {
      await handle.close()
      throw thrown
    }
  },
  createFile: async (path) => {
    await unlessMissing(unlink(path))
    return wrap(await open(path, CREATE_FLAGS, 0o600))
  },
  rename,
  remove: async (path) => {
    await unlessMissing(unlink(path))
  },
  syncFolder: async (path) => {
    const handle = await open(path, constants.O_RDONLY | constants.O_DIRECTORY)
    try {
      await handle.sync()
    } finally {
      await handle.close()
    }
  }
}
