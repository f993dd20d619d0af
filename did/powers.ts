import type { Stats } from 'node:fs'
import { constants } from 'node:fs'
import { link, lstat, mkdir, open, readdir, rename, unlink, type FileHandle } from 'node:fs/promises'
import { unlessMissing } from '#contracts'
import type { PrivateFiles, PrivateFileStat } from './private-file.ts'

async function readSome(handle: FileHandle, bytesMax: number): Promise<Uint8Array> {
  // One byte over the limit is enough to know that the file is too large.
  const buffer = Buffer.alloc(bytesMax + 1)
  let length = 0
  while (length < buffer.length) {
    const { bytesRead } = await handle.read(buffer, length, buffer.length - length, length)
    if (bytesRead === 0) break
    length += bytesRead
  }
  return Uint8Array.from(buffer.subarray(0, length))
}

function privateStat(stats: Stats): PrivateFileStat {
  const kind = stats.isFile() ? 'file' : stats.isDirectory() ? 'folder' : 'other'
  return { kind, mode: stats.mode & 0o777, ownerId: stats.uid }
}

async function createFile(path: string, bytes: Uint8Array): Promise<void> {
  const handle = await open(path, 'wx', 0o600)
  try {
    // The umask may have narrowed the mode of creation; this sets it exactly.
    await handle.chmod(0o600)
    await handle.writeFile(bytes)
    await handle.sync()
  } catch (thrown) {
    await unlessMissing(unlink(path))
    throw thrown
  } finally {
    await handle.close()
  }
}

function isProcessAlive(processId: number): boolean {
  try {
    process.kill(processId, 0)
    return true
  } catch (thrown) {
    // Somebody else's process is alive, only not ours to signal.
    return thrown instanceof Error && 'code' in thrown && thrown.code === 'EPERM'
  }
}

/** The operating system's files, for the keystore and other files that only their user may read. */
export const systemPrivateFiles: PrivateFiles = {
  stat: async (path) => {
    const stats = await unlessMissing(lstat(path))
    return stats === undefined ? undefined : privateStat(stats)
  },
  read: async (path, bytesMax) => {
    const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK
    const handle = await unlessMissing(open(path, flags))
    if (handle === undefined) return undefined
    try {
      const stat = privateStat(await handle.stat())
      return { stat, bytes: stat.kind === 'file' ? await readSome(handle, bytesMax) : new Uint8Array() }
    } finally {
      await handle.close()
    }
  },
  createFile,
  link,
  rename,
  remove: async (path) => {
    await unlessMissing(unlink(path))
  },
  createFolder: async (path) => {
    await mkdir(path, { recursive: true, mode: 0o700 })
  },
  list: async (folder) => await readdir(folder),
  syncFolder: async (path) => {
    const handle = await open(path, constants.O_RDONLY)
    try {
      await handle.sync()
    } finally {
      await handle.close()
    }
  },
  userId: () => process.geteuid?.(),
  processId: () => process.pid,
  isProcessAlive
}
