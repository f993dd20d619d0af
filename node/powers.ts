/** The only file of this folder that touches the file system, sockets and the process. */
import { randomBytes } from 'node:crypto'
import {
  chmodSync,
  createWriteStream,
  mkdirSync,
  readdirSync,
  realpathSync,
  renameSync,
  statSync
} from 'node:fs'
import { lstat, mkdir, rm } from 'node:fs/promises'
import { createServer, type Server, type Socket } from 'node:net'
import { homedir, tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { LevelDatastore } from 'datastore-level'
import { Level } from 'level'
import type { AbortOptions } from '@libp2p/interface'
import type { Datastore, Key } from 'interface-datastore'
import {
  CONTROL_LIMITS,
  controlSocketPath,
  errorCode,
  errorMessage,
  type Clock,
  type LogFields,
  type Logger
} from '#contracts'
import type { ControlConnection } from './control/server.ts'
import { NodeError } from './errors.ts'

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

/**
 * Opens the level store; its lock is what keeps two nodes off one data folder. A corrupt store is repaired once, and
 * moved aside when that fails: what it holds can be found again, keys and blocks are elsewhere.
 *
 * @throws NodeError `ERR_NODE_RUNNING` when another process holds it, `ERR_STORE_UNUSABLE` when it cannot be opened
 */
export async function openStore(path: string, logger: Logger): Promise<Datastore & AsyncDisposable> {
  mkdirSync(path, { recursive: true, mode: 0o700 })
  const database = await openLevel(path).catch(async (thrown: unknown) => {
    const code = causeCode(thrown)
    if (code === 'LEVEL_LOCKED') throw lockedError(path, thrown)
    // Only what level itself calls corrupt is touched: a full or failing disk is no reason to move anything.
    if (code !== 'LEVEL_CORRUPTION') throw unusableError(path, code, thrown)
    logger.warn('the store is corrupt and is repaired', { path })
    await repairable.repair(path).catch(() => undefined)
    return await openLevel(path).catch(async () => await replaceStore(path, logger))
  })
  const store = new SyncedDatastore(database)
  await store.open()
  return Object.assign(store, {
    [Symbol.asyncDispose]: async () => {
      await store.close()
    }
  })
}

/** Records that decide what peers may be served: a power cut must not bring a withdrawn one back. */
const SYNCED_KEYS = '/content/1/root/'

/** datastore-level never asks for a sync; these few writes wait for the disk. */
class SyncedDatastore extends LevelDatastore {
  override async put(key: Key, value: Uint8Array, options?: AbortOptions): Promise<Key> {
    if (!key.toString().startsWith(SYNCED_KEYS)) return await super.put(key, value, options)
    await this.db.put<string, Uint8Array>(key.toString(), value, { sync: true } as object)
    return key
  }

  override async delete(key: Key, options?: AbortOptions): Promise<void> {
    if (!key.toString().startsWith(SYNCED_KEYS)) {
      await super.delete(key, options)
      return
    }
    await this.db.del<string>(key.toString(), { sync: true } as object)
  }
}

type Database = Level<string, Uint8Array>

/** On Node `Level` is classic-level's class, whose `repair` its types leave out. */
const repairable = Level as unknown as { repair(path: string): Promise<void> }

async function openLevel(path: string): Promise<Database> {
  const database: Database = new Level(path, { keyEncoding: 'utf8', valueEncoding: 'view' })
  await database.open()
  return database
}

async function replaceStore(path: string, logger: Logger): Promise<Database> {
  const aside = `${path}.corrupt-${randomBytes(4).toString('hex')}`
  renameSync(path, aside)
  mkdirSync(path, { mode: 0o700 })
  logger.error('the store was beyond repair: moved aside, begun anew', { aside, code: 'ERR_STORE_CORRUPT' })
  return await openLevel(path)
}

/** level wraps the reason: the innermost code is the one that says it. */
function causeCode(thrown: unknown): string | undefined {
  let code: string | undefined
  for (let at = thrown; typeof at === 'object' && at !== null; at = (at as { cause?: unknown }).cause) {
    code = errorCode(at) ?? code
  }
  return code
}

function unusableError(path: string, code: string | undefined, cause: unknown): NodeError {
  const message = `cannot open the store ${path} (${code ?? errorMessage(cause)}): nothing in it was changed`
  return new NodeError('ERR_STORE_UNUSABLE', message, { cause })
}

function lockedError(path: string, cause: unknown): NodeError {
  const folder = dirname(path)
  return new NodeError(
    'ERR_NODE_RUNNING',
    `another node already runs on ${folder}: use it, stop it with 'elastos node stop', or choose another --data`,
    { cause }
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
