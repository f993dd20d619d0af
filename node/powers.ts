/** The only file of this folder that touches the file system, sockets and the process. */
import {
  chmodSync,
  createWriteStream,
  mkdirSync,
  readdirSync,
  realpathSync,
  renameSync,
  statSync
} from 'node:fs'
import { lstat, mkdir, readdir, readFile, rename, rm, stat, utimes, writeFile } from 'node:fs/promises'
import { Resolver } from 'node:dns/promises'
import { createServer, type Server, type Socket } from 'node:net'
import { homedir, tmpdir } from 'node:os'
import { basename, dirname, extname, join } from 'node:path'
import {
  CONTROL_LIMITS,
  controlSocketPath,
  errorCode,
  type Clock,
  type LogFields,
  type Logger
} from '#contracts'
import type { ControlConnection } from './control/server.ts'
import { NodeError } from './errors.ts'

/** How long one server of the domain name system is waited for, and how often it is asked. */
const DNS_LIMITS = { timeout: 3_000, tries: 2 }

/** Reads TXT records through the resolver that this machine is set up with. */
export function systemResolveTxt(): (domain: string) => Promise<string[][]> {
  const resolver = new Resolver(DNS_LIMITS)
  return async (domain) => await resolver.resolveTxt(domain)
}

/**
 * Makes the data folder, for its owner alone. A folder of something else, such as a home, is refused rather than closed
 * to everybody who uses it.
 *
 * @throws NodeError ERR_DATA_FOLDER
 */
export function prepareDataFolder(path: string): void {
  try {
    mkdirSync(path, { recursive: true, mode: 0o700 })
    const facts = statSync(path)
    if (!facts.isDirectory()) throw new Error('not a folder')
    if ((facts.mode & 0o077) !== 0 && !isOurs(path)) throw foreignFolder(path)
    chmodSync(path, 0o700)
  } catch (cause) {
    if (cause instanceof NodeError) throw cause
    throw new NodeError(
      'ERR_DATA_FOLDER',
      `cannot use ${path} as the data folder (${errorCode(cause) ?? 'not a folder'}): choose another with --data`,
      { cause }
    )
  }
}

/** Whether a folder may be closed to others: only a log is in it, which a command makes before it starts a node, or keys. */
function isOurs(path: string): boolean {
  const names = readdirSync(path)
  const hasKeys = names.includes('keys') && (statSync(join(path, 'keys')).mode & 0o077) === 0
  return hasKeys || names.every((name) => name === 'log')
}

function foreignFolder(path: string): NodeError {
  return new NodeError(
    'ERR_DATA_FOLDER',
    `expected ${path} to be empty or for you alone: others use it, so choose a folder of its own with --data`
  )
}

/** Listens for commands on the control socket of `dataFolder`; the caller holds the lock of the data folder. */
export async function listenForCommands(
  dataFolder: string,
  serve: (connection: ControlConnection) => Promise<void>
): Promise<{ readonly path: string } & AsyncDisposable> {
  const path = controlSocketPath(dataFolder, {
    environment: process.env,
    platform: process.platform,
    homeFolder: homedir(),
    temporaryFolder: tmpdir(),
    userId: process.getuid?.() ?? 0
  })
  await prepareSocketFolder(dirname(path))
  await rm(path, { force: true })
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => undefined)
    socket.once('close', () => sockets.delete(socket))
    void serve(wrapConnection(socket))
  })
  server.maxConnections = CONTROL_LIMITS.connectionsMax
  await listen(server, path)
  return {
    path,
    [Symbol.asyncDispose]: async () => {
      const closed = new Promise<void>((done) => server.close(() => done()))
      for (const socket of sockets) closeSoon(socket)
      await closed
      await rm(path, { force: true })
    }
  }
}

async function listen(server: Server, path: string): Promise<void> {
  await new Promise<void>((listening, failed) => {
    server.once('error', failed)
    server.listen(path, listening)
  })
  // An error of accept() later on, such as too many open files, costs one connection and not the process.
  server.on('error', () => undefined)
  // Its folder is the owner's alone already; the mode says the same to who looks at the socket itself.
  chmodSync(path, 0o600)
}

async function prepareSocketFolder(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true, mode: 0o700 })
  const facts = await lstat(folder)
  const userId = process.getuid?.()
  if (!facts.isDirectory() || (userId !== undefined && facts.uid !== userId) || (facts.mode & 0o077) !== 0) {
    throw new NodeError(
      'ERR_DATA_FOLDER',
      `expected ${folder} to be a folder of yours alone (mode 0700): the control socket belongs there`
    )
  }
}

function wrapConnection(socket: Socket): ControlConnection {
  return {
    // Who breaks the protocol is told so: reading no further must not close the socket.
    incoming: socket.iterator({ destroyOnReturn: false }) as AsyncIterable<Uint8Array>,
    write: async (text) => {
      await new Promise<void>((taken, failed) => {
        socket.write(text, (error) => {
          if (error) failed(error)
          else taken()
        })
      })
    },
    close: () => closeSoon(socket)
  }
}

/** How long what was written may take to be read once a connection is closed. */
const CLOSE_GRACE_MS = 1_000

/** Closes when what was written is read; who reads no more, such as a stopped process, must not keep a node from ending. */
function closeSoon(socket: Socket): void {
  if (socket.closed) return
  socket.destroySoon()
  const timer = setTimeout(() => socket.destroy(), CLOSE_GRACE_MS)
  socket.once('close', () => clearTimeout(timer))
}

/** A log that is written over when it is full, the one before kept beside it. */
const LOG_BYTES_MAX = 8 * 1024 * 1024

/** Opens the log of a node: one JSON object a line, mode 0600, two files of 8 MiB at the most. */
export function openLog(path: string, clock: Clock): Logger & AsyncDisposable {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
  let stream = createWriteStream(path, { flags: 'a', mode: 0o600 })
  stream.on('error', () => undefined)
  let bytes = sizeOf(path)
  const write = (entry: LogFields, fields: LogFields = {}): void => {
    const line = JSON.stringify({ time: new Date(clock.nowMs()).toISOString(), ...entry, ...fields }) + '\n'
    bytes += Buffer.byteLength(line)
    if (bytes > LOG_BYTES_MAX) {
      stream.end()
      setAside(path)
      stream = createWriteStream(path, { flags: 'a', mode: 0o600 })
      stream.on('error', () => undefined)
      bytes = Buffer.byteLength(line)
    }
    stream.write(line)
  }
  const logger = (component: string): Logger => ({
    debug: () => undefined,
    info: (event, fields) => write({ level: 'info', component, event }, fields),
    warn: (event, fields) => write({ level: 'warn', component, event }, fields),
    error: (event, fields) => write({ level: 'error', component, event }, fields),
    child: (name) => logger(component === '' ? name : `${component}:${name}`)
  })
  return Object.assign(logger(''), {
    [Symbol.asyncDispose]: async () => {
      await new Promise<void>((done) => stream.end(done))
    }
  })
}

/** Whoever logs must not fail because somebody removed the log meanwhile. */
function setAside(path: string): void {
  try {
    renameSync(path, `${path}.1`)
  } catch {
    // There is nothing to keep, or it goes on in the same file.
  }
}

function sizeOf(path: string): number {
  try {
    return statSync(path).size
  } catch {
    return 0
  }
}

/** The process this node runs in. */
export function processId(): number {
  return process.pid
}

/** The folder a path leads to, every link followed. */
export function realFolder(path: string): string {
  return realpathSync(path)
}

/**
 * A file of at most `bytesMax`, `undefined` when there is none.
 *
 * @throws NodeError `ERR_TARGET_INVALID` for a larger one
 */
export async function readBounded(path: string, bytesMax: number): Promise<Uint8Array | undefined> {
  const facts = await stat(path).catch(() => undefined)
  if (facts?.isFile() !== true) return undefined
  if (facts.size <= bytesMax) return await readFile(path)
  throw new NodeError(
    'ERR_TARGET_INVALID',
    `expected ${path} to have at most ${bytesMax} bytes, got ${facts.size}`
  )
}

/** Writes a file that only its owner may read, with its folder; it is there whole or not at all. */
export async function writeWhole(path: string, bytes: Uint8Array | AsyncIterable<Uint8Array>): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 })
  const fresh = `${path}.${process.pid}.new`
  try {
    await writeFile(fresh, bytes, { mode: 0o600 })
    await rename(fresh, path)
  } finally {
    await rm(fresh, { force: true })
  }
}

/** Removes what {@link writeWhole} of a process that was killed left in a folder nobody writes to now. Best effort. */
export async function removeUnfinished(folder: string): Promise<void> {
  const names = await readdir(folder).catch(() => [])
  for (const name of names) {
    if (/\.\d+\.new$/.test(name)) await rm(join(folder, name), { force: true }).catch(() => undefined)
  }
}

/**
 * Notes that a file was used just now and removes those with the same ending in its folder that were not for longest, so that
 * `filesMax` stay. Best effort.
 */
export async function keepUsed(
  path: string,
  { filesMax, nowMs }: { filesMax: number; nowMs: number }
): Promise<void> {
  const folder = dirname(path)
  const now = new Date(nowMs)
  await utimes(path, now, now).catch(() => undefined)
  const names = (await readdir(folder).catch(() => [])).filter((name) => name.endsWith(extname(path)))
  const used = await Promise.all(
    names.map(async (name) => ({
      name,
      ms: (await stat(join(folder, name)).catch(() => undefined))?.mtimeMs ?? 0
    }))
  )
  const oldest = used.filter(({ name }) => name !== basename(path)).toSorted((a, b) => b.ms - a.ms)
  for (const { name } of oldest.slice(filesMax - 1)) await rm(join(folder, name), { force: true })
}
