import { spawn, type ChildProcess } from 'node:child_process'
import { constants as fsConstants, existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { access, lstat, mkdir, open, readdir, realpath, rename, rm, writeFile } from 'node:fs/promises'
import { arch, platform, release } from 'node:os'
import { join } from 'node:path'
import type { Readable, Writable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { errorCode, GUARD_DESCRIPTOR, guardedProgram } from '#contracts'

/** A user and a group of the operating system. */
export interface Identity {
  readonly uid: number
  readonly gid: number
}

/** A program to start, with nothing of this process's environment. */
export interface SpawnInit {
  /** Absolute path. */
  readonly command: string
  readonly args: readonly string[]
  /** Who it runs as; this process's own user when absent. */
  readonly identity?: Identity | undefined
  /** Where it runs; the root folder when absent. */
  readonly folder?: string
  readonly environment?: Readonly<Record<string, string>>
  /** What can be read from descriptor 3; there is none when absent. */
  readonly descriptor3?: Uint8Array
  /** Whether the next descriptor is a pipe that can be read here, whose end is the program's; then a guard keeps its process group. */
  readonly hasStatus?: boolean
  /** Whether the highest descriptor open here, some of which it inherits, is told it as one more argument. */
  readonly toldDescriptors?: boolean
}

/** How a program ended: `failure` when it could not be started. */
export interface SpawnEnd {
  readonly code: number | null
  readonly signal: string | null
  readonly failure?: Error
}

/** A started program. */
export interface SpawnedProcess {
  readonly pid: number | undefined
  readonly stdout: AsyncIterable<Uint8Array>
  readonly stderr: AsyncIterable<Uint8Array>
  /** Descriptor 4, empty unless it was asked for. */
  readonly status: AsyncIterable<Uint8Array>
  /** Bytes written that the program has not taken yet. */
  readonly waitingBytes: number
  /** Hands over bytes for its standard input; never throws, and after its end does nothing. */
  write(bytes: Uint8Array): void
  /** Ends its standard input. */
  closeInput(): void
  /** Ends it at once (SIGKILL). */
  kill(): void
  /** Lets go of its pipes, so that nobody waits for what is still in them. */
  closeOutput(): void
  /** Resolves at its end, never rejects. */
  readonly ended: Promise<SpawnEnd>
}

/** What a process had of the processors since its start. */
export interface ProcessorTimes {
  /** Milliseconds that all its threads ran. */
  readonly usedMs: number
  /** Milliseconds that its first thread ran or waited for its turn to: what was not spent in waiting for anybody else. */
  readonly activeMs: number
}

/** A file or folder as its own folder lists it. */
export interface FolderEntry {
  readonly name: string
  readonly type: 'file' | 'folder' | 'other'
}

/** What this folder takes from the operating system. Everything that starts, reads or writes goes through it. */
export interface HostPowers {
  readonly platform: string
  /** As Node names processors. */
  readonly arch: string
  /** The kernel's release, such as `6.1.0`. */
  readonly kernelRelease: string
  /** The user this process runs as; `undefined` where there are none. */
  readonly userId: number | undefined
  /** The Node that runs this process. */
  readonly nodePath: string
  spawn(init: SpawnInit): SpawnedProcess
  /** Ends any process at once; nothing happens when there is none. */
  killProcess(pid: number): void
  /** What a process had of the processors until now; `undefined` when it is gone or the system does not say. */
  processorTimes(pid: number): ProcessorTimes | undefined
  /**
   * Lets a process's session yield to others where the system weighs whole sessions before their processes, so that
   * niceness alone would mean nothing. Best effort.
   */
  yieldSession(pid: number, niceness: number): Promise<void>
  /** Where the program `name` is in the usual folders. */
  findProgram(name: string): Promise<string | undefined>
  /** The file behind a path, links followed; `undefined` when there is none. */
  resolvePath(path: string): Promise<string | undefined>
  /** Up to `bytesMax` bytes of a file; `undefined` when it is absent or no file. A longer one is cut. */
  readFile(path: string, bytesMax: number): Promise<Uint8Array | undefined>
  /** Bytes of a file, links not followed; `undefined` when it is absent or no plain file. */
  fileBytes(path: string): Promise<number | undefined>
  listFolder(path: string): Promise<FolderEntry[]>
  /** Makes a folder that must not exist, or with `isShared` may. */
  makeFolder(path: string, options?: { isShared?: boolean }): Promise<void>
  /** Writes a file that must not exist. */
  writeNewFile(path: string, text: string): Promise<void>
  rename(from: string, to: string): Promise<void>
  removeFile(path: string): Promise<void>
  /** The AssemblyScript compiler's program, and the file that marks the package with its WASI library. */
  findCompiler(): { compiler: string; library: string }
}

/** The usual folders of programs, for when `PATH` is unset or odd. */
const PROGRAM_FOLDERS = [
  '/usr/bin',
  '/bin',
  '/usr/local/bin',
  '/usr/sbin',
  '/sbin',
  '/run/current-system/sw/bin'
]

/** The operating system's own powers. */
export const systemPowers: HostPowers = {
  platform: platform(),
  arch: arch(),
  kernelRelease: release(),
  userId: process.geteuid?.(),
  nodePath: process.execPath,
  spawn: spawnProcess,
  killProcess: (pid) => {
    try {
      // One that yields to all others would also be the last to die.
      writeFileSync(`/proc/${pid}/autogroup`, '0')
    } catch {
      // It then dies when its turn comes.
    }
    try {
      process.kill(pid, 'SIGKILL')
    } catch {
      // It is gone already, which is what was wanted.
    }
  },
  processorTimes: (pid) => {
    const usedMs = parseProcessorMs(readProcessFile(pid, 'stat') ?? '')
    if (usedMs === undefined) return undefined
    return { usedMs, activeMs: parseActiveMs(readProcessFile(pid, 'schedstat') ?? '') ?? usedMs }
  },
  yieldSession: async (pid, niceness) => {
    // The kernel takes ten a second from an ordinary user, all in all.
    for (let attempt = 0; attempt < YIELD_ATTEMPTS_MAX; attempt += 1) {
      const isDone = await writeFile(`/proc/${pid}/autogroup`, String(niceness)).then(
        () => true,
        (thrown: unknown) => errorCode(thrown) !== 'EAGAIN'
      )
      if (isDone) return
      await new Promise((resolve) => setTimeout(resolve, YIELD_PAUSE_MS).unref())
    }
  },
  findProgram: async (name) => {
    const fromPath = (process.env['PATH'] ?? '').split(':').filter((folder) => folder.startsWith('/'))
    for (const folder of [...PROGRAM_FOLDERS, ...fromPath]) {
      if (await isExecutable(`${folder}/${name}`)) return `${folder}/${name}`
    }
    return undefined
  },
  resolvePath: (path) => realpath(path).catch(() => undefined),
  readFile: readFileUpTo,
  fileBytes: async (path) => {
    const stats = await lstat(path).catch(() => undefined)
    return stats?.isFile() === true ? stats.size : undefined
  },
  listFolder: async (path) => {
    const entries = await readdir(path, { withFileTypes: true })
    return entries.map((entry) => ({
      name: entry.name,
      type: entry.isFile() ? 'file' : entry.isDirectory() ? 'folder' : 'other'
    }))
  },
  makeFolder: async (path, options) => {
    await mkdir(path, { recursive: options?.isShared ?? false })
  },
  writeNewFile: (path, text) => writeFile(path, text, { flag: 'wx' }),
  rename,
  removeFile: (path) => rm(path, { force: true }),
  findCompiler: () => ({
    compiler: fileURLToPath(import.meta.resolve('assemblyscript/bin/asc.js')),
    library: fileURLToPath(import.meta.resolve('@assemblyscript/wasi-shim/asconfig.json'))
  })
}

/** Linux counts in hundredths of a second towards programs, whatever its own tick (`USER_HZ`). */
const MS_PER_TICK = 10
const YIELD_ATTEMPTS_MAX = 50
const YIELD_PAUSE_MS = 100

/**
 * Not through the thread pool: the kernel makes these files up at once, and beside busy capsules each thread waits for its
 * turn.
 */
function readProcessFile(pid: number, name: string): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/${name}`, 'latin1')
  } catch {
    return undefined
  }
}

/** The 14th and 15th field of proc_pid_stat(5); the 2nd is a name in brackets that may hold anything. */
function parseProcessorMs(stat: string): number | undefined {
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  const ticks = Number(fields[11]) + Number(fields[12])
  return Number.isSafeInteger(ticks) ? ticks * MS_PER_TICK : undefined
}

/** The first two numbers of schedstat: nanoseconds on a processor, and waiting for one. */
function parseActiveMs(schedstat: string): number | undefined {
  const [ran, waited] = schedstat === '' ? [] : schedstat.split(' ').map(Number)
  return Number.isSafeInteger(ran) && Number.isSafeInteger(waited)
    ? (Number(ran) + Number(waited)) / 1e6
    : undefined
}

function spawnProcess(init: SpawnInit): SpawnedProcess {
  const extra = init.descriptor3 === undefined ? [] : (['pipe'] as const)
  const statusIndex = init.hasStatus === true ? 3 + extra.length : undefined
  const told = init.toldDescriptors === true ? [String(highestDescriptor())] : []
  const args = [...init.args, ...told]
  const started = statusIndex === undefined ? { ...init, args } : guardedProgram(init.command, args)
  const child: ChildProcess = spawn(started.command, [...started.args], {
    cwd: init.folder ?? '/',
    env: { ...init.environment },
    stdio: ['pipe', 'pipe', 'pipe', ...extra, ...guardPipes(statusIndex)],
    // A session of its own: Ctrl-C in the user's terminal reaches the node, which decides. And a process group of its own.
    detached: true,
    ...(init.identity === undefined ? {} : init.identity)
  })
  const ended = new Promise<SpawnEnd>((resolve) => {
    child.once('exit', (code, signal) => resolve({ code, signal }))
    child.once('error', (failure) => resolve({ code: null, signal: null, failure }))
  })
  // Its type does not say so, but without descriptors left for its pipes it has none.
  const stdio: readonly (Readable | Writable | null | undefined)[] =
    (child as Partial<ChildProcess>).stdio ?? []
  for (const stream of stdio) stream?.on('error', () => undefined)
  if (init.descriptor3 !== undefined) writableAt(stdio[3])?.end(init.descriptor3)
  if (statusIndex !== undefined) releaseGuard(stdio, statusIndex)
  return {
    pid: child.pid,
    stdout: readableAt(stdio[1]),
    stderr: readableAt(stdio[2]),
    status: statusIndex === undefined ? nothing() : readableAt(stdio[statusIndex]),
    get waitingBytes() {
      return child.stdin?.writableLength ?? 0
    },
    write: (bytes) => {
      if (child.stdin?.writable === true) child.stdin.write(bytes)
    },
    closeInput: () => child.stdin?.end(),
    kill: () => killGroup(child),
    closeOutput: () => {
      for (const stream of stdio) stream?.destroy()
    },
    ended
  }
}

/** A pipe for the status of a guarded program, and its guard's. */
function guardPipes(statusIndex: number | undefined): ('pipe' | 'ignore')[] {
  if (statusIndex === undefined) return []
  const gap = Array.from({ length: GUARD_DESCRIPTOR - statusIndex - 1 }, () => 'ignore' as const)
  return ['pipe', ...gap, 'pipe']
}

/** Tells the guard when its program has ended: only that holds the other end of its status. */
function releaseGuard(stdio: readonly (Readable | Writable | null | undefined)[], statusIndex: number): void {
  stdio[statusIndex]?.once('close', () => writableAt(stdio[GUARD_DESCRIPTOR])?.end('\n'))
}

/** Kills a program and its process group, which has its number as long as it was not buried. */
function killGroup({ pid, exitCode, signalCode }: ChildProcess): void {
  if (pid === undefined || exitCode !== null || signalCode !== null) return
  try {
    process.kill(-pid, 'SIGKILL')
  } catch {
    // It is gone already, which is what was wanted.
  }
}

/** Where the system does not list them it is one that closes them for every child. */
function highestDescriptor(): number {
  try {
    return readdirSync('/proc/self/fd').reduce((highest, name) => Math.max(highest, Number(name)), 0)
  } catch {
    return 0
  }
}

function readableAt(stream: Readable | Writable | null | undefined): AsyncIterable<Uint8Array> {
  if (stream === null || stream === undefined || !('read' in stream)) return nothing()
  return untilClosed(stream)
}

function writableAt(stream: Readable | Writable | null | undefined): Writable | undefined {
  return stream !== null && stream !== undefined && 'write' in stream ? stream : undefined
}

/** A pipe that breaks or is let go of has ended, for whoever reads it. */
async function* untilClosed(stream: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  try {
    yield* stream
  } catch {
    // Only the end of the process matters, and `ended` tells it.
  }
}

async function* nothing(): AsyncGenerator<Uint8Array> {
  // No pipe, no bytes.
}

async function isExecutable(path: string): Promise<boolean> {
  try {
    await access(path, fsConstants.X_OK)
    return true
  } catch {
    return false
  }
}

async function readFileUpTo(path: string, bytesMax: number): Promise<Uint8Array | undefined> {
  let file
  try {
    // Opening a pipe or a device must not wait for its other side.
    file = await open(path, fsConstants.O_RDONLY | fsConstants.O_NONBLOCK)
  } catch {
    return undefined
  }
  try {
    if (!(await file.stat()).isFile()) return undefined
    const buffer = new Uint8Array(bytesMax)
    let length = 0
    while (length < bytesMax) {
      const { bytesRead } = await file.read(buffer, length, bytesMax - length)
      if (bytesRead === 0) break
      length += bytesRead
    }
    return buffer.slice(0, length)
  } finally {
    await file.close()
  }
}

/** The guest script of capsule processes: bundled beside this file, else in the sources. */
export function findGuestEntry(): string {
  const bundled = join(import.meta.dirname, 'capsule-guest.mjs')
  return existsSync(bundled) ? bundled : join(import.meta.dirname, 'guest', 'main.ts')
}
