import { createHash } from 'node:crypto'
import {
  chmod,
  copyFile,
  link,
  mkdir,
  open,
  readdir,
  rename,
  rm,
  stat,
  truncate,
  utimes,
  writeFile
} from 'node:fs/promises'
import { once } from 'node:events'
import { createServer, type Socket } from 'node:net'
import { join } from 'node:path'
import { errorCode } from '#contracts'

/** What can be told of a file without reading it. */
export interface FileMark {
  /** Changes with everything that is done to the file or another in its place. */
  readonly id: string
  readonly bytes: number
  /** What it takes of the disk. */
  readonly allocatedBytes: number
  readonly modifiedMs: number
}

/** A socket that listens for one connection. */
export interface StateSocket extends AsyncDisposable {
  readonly path: string
  /** What whoever connects sends. */
  readonly incoming: AsyncIterable<Uint8Array>
}

/** What templates take from the file system. All folders and files are for their owner alone. */
export interface TemplatePowers {
  makeFolder(path: string): Promise<void>
  /** Makes a folder in which nobody finds what he cannot name, in place of whatever was there. */
  makeHiddenFolder(path: string): Promise<void>
  /** Names in a folder; none when there is none. */
  list(folder: string): Promise<string[]>
  /** Makes a file that holds `bytes` zeros and takes no place. */
  makeSparse(path: string, bytes: number): Promise<void>
  /** Writes a new file. */
  write(path: string, bytes: Uint8Array): Promise<void>
  /** Reads a file of at most `bytesMax` bytes; `undefined` when there is none or it holds more. */
  read(path: string, bytesMax: number): Promise<Uint8Array | undefined>
  /** `undefined` when there is no such file. */
  mark(path: string): Promise<FileMark | undefined>
  /** A hash over what is in a file, quick where there are zeros; `undefined` when it cannot be read. */
  digest(path: string): Promise<string | undefined>
  /** Opens a file for reading, for a process that is started with its descriptor. */
  openForReading(path: string): Promise<AsyncDisposable & { readonly descriptor: number }>
  /** Listens at a new name in a folder, however long its path is. */
  listen(folder: string, name: string): Promise<StateSocket>
  /** Gives a file a second name, or copies it where that cannot be. */
  give(path: string, target: string): Promise<void>
  rename(path: string, target: string): Promise<void>
  /** Removes a file or folder with all that is in it; nothing happens when there is none. */
  remove(path: string): Promise<void>
  /** Notes when a file was used. */
  touch(path: string, nowMs: number): Promise<void>
}

const CHUNK_BYTES = 1024 * 1024

/** The operating system's own powers. */
export const systemTemplatePowers: TemplatePowers = {
  makeFolder: async (path) => {
    await mkdir(path, { recursive: true, mode: 0o700 })
  },
  makeHiddenFolder: async (path) => {
    await chmod(path, 0o700).catch(() => undefined)
    await rm(path, { recursive: true, force: true })
    await mkdir(path, { recursive: true, mode: 0o700 })
    await chmod(path, 0o300)
  },
  list: (folder) => readdir(folder).catch(() => []),
  makeSparse: async (path, bytes) => {
    await writeFile(path, '', { mode: 0o600, flag: 'wx' })
    await truncate(path, bytes)
  },
  write: (path, bytes) => writeFile(path, bytes, { mode: 0o600, flag: 'wx' }),
  read: async (path, bytesMax) => {
    try {
      await using file = await open(path)
      const { size } = await file.stat()
      return size > bytesMax ? undefined : await file.readFile()
    } catch {
      return undefined
    }
  },
  mark: async (path) => {
    try {
      const { dev, ino, size, blocks, mtimeNs, ctimeNs, mtimeMs } = await stat(path, { bigint: true })
      return {
        id: [dev, ino, size, mtimeNs, ctimeNs].join(':'),
        bytes: Number(size),
        allocatedBytes: Number(blocks) * 512,
        modifiedMs: Number(mtimeMs)
      }
    } catch {
      return undefined
    }
  },
  digest,
  openForReading: async (path) => {
    const file = await open(path, 'r')
    return { descriptor: file.fd, [Symbol.asyncDispose]: () => file.close() }
  },
  listen: listenOnce,
  give: async (path, target) => {
    try {
      await link(path, target)
    } catch (thrown) {
      if (errorCode(thrown) === 'ENOENT') throw thrown
      await copyFile(path, target)
    }
  },
  rename: (path, target) => rename(path, target),
  remove: (path) => rm(path, { recursive: true, force: true }),
  touch: async (path, nowMs) => {
    await utimes(path, new Date(nowMs), new Date(nowMs)).catch(() => undefined)
  }
}

async function listenOnce(folder: string, name: string): Promise<StateSocket> {
  await using stack = new AsyncDisposableStack()
  // A path of a socket has 107 bytes at most; by the folder's descriptor it is short.
  const opened = stack.use(await open(folder, 'r'))
  const came = Promise.withResolvers<Socket>()
  came.promise.catch(() => undefined)
  const server = createServer((socket) => {
    socket.on('error', () => undefined)
    server.close()
    came.resolve(socket)
  })
  stack.defer(() => {
    server.close()
    came.reject(new Error('expected a connection, none came'))
    void came.promise.then((socket) => socket.destroy()).catch(() => undefined)
  })
  server.on('error', came.reject)
  server.listen(`/proc/self/fd/${opened.fd}/${name}`)
  await once(server, 'listening')
  await chmod(join(folder, name), 0o600)
  const held = stack.move()
  return {
    path: join(folder, name),
    incoming: chunksOf(came.promise),
    [Symbol.asyncDispose]: () => held.disposeAsync()
  }
}

async function* chunksOf(socket: Promise<Socket>): AsyncGenerator<Uint8Array> {
  yield* (await socket) as AsyncIterable<Uint8Array>
}

async function digest(path: string): Promise<string | undefined> {
  const hash = createHash('sha256')
  const chunk = Buffer.alloc(CHUNK_BYTES)
  const zeros = Buffer.alloc(CHUNK_BYTES)
  try {
    await using file = await open(path)
    for (let at = 0; ;) {
      const { bytesRead } = await file.read(chunk, 0, CHUNK_BYTES, at)
      if (bytesRead === 0) return hash.update(`end ${at}`).digest('hex')
      const bytes = chunk.subarray(0, bytesRead)
      // A machine's memory is zeros for the most part.
      if (!bytes.equals(zeros.subarray(0, bytesRead))) hash.update(`at ${at} ${bytesRead} `).update(bytes)
      at += bytesRead
    }
  } catch {
    return undefined
  }
}
