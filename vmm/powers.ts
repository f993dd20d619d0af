import { execFile, spawn, type ChildProcess } from 'node:child_process'
import { createHash } from 'node:crypto'
import { accessSync, constants as fsConstants, createReadStream } from 'node:fs'
import { access, open, realpath } from 'node:fs/promises'
import type { Socket } from 'node:net'
import { arch, platform, release } from 'node:os'
import type { Readable, Writable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { GUARD_DESCRIPTOR, guardedProgram } from '#contracts'

/** A user and a group of the operating system. */
export interface MonitorIdentity {
  readonly uid: number
  readonly gid: number
}

/** A monitor to start, with nothing of this process's environment. */
export interface MonitorSpawn {
  /** Absolute path. */
  readonly command: string
  readonly args: readonly string[]
  /** Who it runs as; this process's own user when absent. */
  readonly identity?: MonitorIdentity | undefined
  /** Its descriptors from 5 on: a pair of sockets, or a descriptor of this process. At most three. */
  readonly extra?: readonly ('pair' | number)[]
}

/** This process's end of a pair of sockets. */
export interface MonitorPair {
  /** What the other end sends, to be read once. */
  readonly incoming: AsyncIterable<Uint8Array>
  /** Hands over bytes; never throws, and after its end does nothing. */
  write(bytes: Uint8Array): void
}

/** How a process ended: `failure` when it could not be started. */
export interface MonitorEnd {
  readonly code: number | null
  readonly signal: string | null
  readonly failure?: Error
}

/** A started monitor. Descriptor 3 is its machine's channel, descriptor 4 where its jail says what it did. */
export interface MonitorProcess {
  readonly pid: number | undefined
  readonly stdout: AsyncIterable<Uint8Array>
  readonly stderr: AsyncIterable<Uint8Array>
  /** What the guest sends. */
  readonly channel: AsyncIterable<Uint8Array>
  readonly status: AsyncIterable<Uint8Array>
  /** The pair of sockets that is its descriptor `descriptor`, from 5 on; `undefined` where there is none. */
  pair(descriptor: number): MonitorPair | undefined
  /** Bytes for the channel that the machine has not taken yet. */
  readonly waitingBytes: number
  /** Hands over bytes for the channel; never throws, and after its end does nothing. */
  write(bytes: Uint8Array): void
  /** Ends it at once (SIGKILL). */
  kill(): void
  /** Lets go of its pipes. */
  close(): void
  /** Resolves at its end, never rejects. */
  readonly ended: Promise<MonitorEnd>
}

/** What this folder takes from the operating system. */
export interface VmmPowers {
  readonly platform: string
  /** As Node names processors. */
  readonly arch: string
  /** The kernel's release, such as `6.1.0`. */
  readonly kernelRelease: string
  spawnMonitor(init: MonitorSpawn): MonitorProcess
  /** Ends any process at once; nothing happens when there is none. */
  killProcess(pid: number): void
  /** Where the program `name` is in the usual folders. */
  findProgram(name: string): Promise<string | undefined>
  /** The file or folder behind a path, links followed; `undefined` when there is none. */
  resolvePath(path: string): Promise<string | undefined>
  /** Whether a file opens for reading and writing. */
  opens(path: string): Promise<boolean>
  /** Up to `bytesMax` bytes of a file, those the kernel makes up too; `undefined` when it cannot be read. */
  readText(path: string, bytesMax: number): Promise<string | undefined>
  /** SHA-256 of a file in hexadecimal digits; `undefined` when it cannot be read. */
  hashFile(path: string): Promise<string | undefined>
  /** The shared libraries a program is linked with, and the loader, as `ldd` prints them. */
  linkedFiles(program: string): Promise<string>
  /** What a program says of its options; empty when it says nothing. */
  helpOf(program: string): Promise<string>
}

const PROGRAM_FOLDERS = ['/usr/bin', '/bin', '/usr/local/bin', '/usr/sbin', '/sbin']
const PROGRAM_MS_MAX = 10_000

/** The operating system's own powers. */
export const systemVmmPowers: VmmPowers = {
  platform: platform(),
  arch: arch(),
  kernelRelease: release(),
  spawnMonitor,
  killProcess: (pid) => {
    try {
      process.kill(pid, 'SIGKILL')
    } catch {
      // It is gone already, which is what was wanted.
    }
  },
  findProgram: async (name) => {
    const fromPath = (process.env['PATH'] ?? '').split(':').filter((folder) => folder.startsWith('/'))
    return findIn([...PROGRAM_FOLDERS, ...fromPath], name)
  },
  resolvePath: (path) => realpath(path).catch(() => undefined),
  opens: (path) =>
    access(path, fsConstants.R_OK | fsConstants.W_OK).then(
      () => true,
      () => false
    ),
  readText: async (path, bytesMax) => {
    try {
      await using file = await open(path)
      const { buffer, bytesRead } = await file.read(Buffer.alloc(bytesMax), 0, bytesMax, 0)
      return buffer.toString('utf8', 0, bytesRead)
    } catch {
      return undefined
    }
  },
  hashFile: async (path) => {
    const hash = createHash('sha256')
    return pipeline(createReadStream(path), hash).then(
      () => hash.digest('hex'),
      () => undefined
    )
  },
  linkedFiles: async (program) => {
    const ldd = findIn(PROGRAM_FOLDERS, 'ldd')
    return ldd === undefined ? '' : await outputOf(ldd, [program])
  },
  helpOf: (program) => outputOf(program, ['--help'])
}

/** What a short program says on standard output, however it ends. */
function outputOf(program: string, args: readonly string[]): Promise<string> {
  const options = { timeout: PROGRAM_MS_MAX, env: { PATH: PROGRAM_FOLDERS.join(':') } }
  return new Promise((resolve) => {
    execFile(program, args, options, (_, stdout) => resolve(stdout))
  })
}

function spawnMonitor(init: MonitorSpawn): MonitorProcess {
  const { command, args } = guardedProgram(init.command, init.args)
  const extra = (init.extra ?? []).map((one) => (one === 'pair' ? 'pipe' : one))
  const gap = Array.from({ length: GUARD_DESCRIPTOR - 5 - extra.length }, () => 'ignore' as const)
  const child: ChildProcess = spawn(command, [...args], {
    cwd: '/',
    env: {},
    stdio: ['ignore', 'pipe', 'pipe', 'pipe', 'pipe', ...extra, ...gap, 'pipe'],
    // A session of its own: Ctrl-C in the user's terminal reaches the node, which decides. And a process group of its own.
    detached: true,
    ...(init.identity === undefined ? {} : init.identity)
  })
  const ended = new Promise<MonitorEnd>((resolve) => {
    child.once('exit', (code, signal) => resolve({ code, signal }))
    child.once('error', (failure) => resolve({ code: null, signal: null, failure }))
  })
  // Its type does not say so, but without descriptors left for its pipes it has none.
  const stdio: readonly (Readable | Writable | null | undefined)[] =
    (child as Partial<ChildProcess>).stdio ?? []
  for (const stream of stdio) stream?.on('error', () => undefined)
  // A pair of sockets, so that it goes both ways and lies in no folder.
  const channel = stdio[3] as Socket | null | undefined
  const lifeline = stdio[GUARD_DESCRIPTOR] as Socket | null | undefined
  // Only the jail holds the other end of its status: it has ended when that has.
  stdio[4]?.once('close', () => lifeline?.end('\n'))
  const readable = (index: number): AsyncIterable<Uint8Array> =>
    untilClosed(stdio[index] as Readable | null | undefined)
  return {
    pid: child.pid,
    stdout: readable(1),
    stderr: readable(2),
    channel: untilClosed(channel),
    status: readable(4),
    pair: (descriptor) => {
      const socket = init.extra?.[descriptor - 5] === 'pair' ? stdio[descriptor] : undefined
      return socket === undefined ? undefined : pairOf(socket as Socket | null)
    },
    get waitingBytes() {
      return channel?.writableLength ?? 0
    },
    write: (bytes) => {
      if (channel?.writable === true) channel.write(bytes)
    },
    kill: () => killGroup(child),
    close: () => {
      for (const stream of stdio) stream?.destroy()
    },
    ended
  }
}

function pairOf(socket: Socket | null): MonitorPair {
  return {
    incoming: untilClosed(socket),
    write: (bytes) => {
      if (socket?.writable === true) socket.write(bytes)
    }
  }
}

/** Kills a guard and its group, which has its number as long as it was not buried. */
function killGroup({ pid, exitCode, signalCode }: ChildProcess): void {
  if (pid === undefined || exitCode !== null || signalCode !== null) return
  try {
    process.kill(-pid, 'SIGKILL')
  } catch {
    // It is gone already, which is what was wanted.
  }
}

/** A pipe that breaks or is let go of has ended, for whoever reads it. */
async function* untilClosed(stream: Readable | null | undefined): AsyncGenerator<Uint8Array> {
  if (stream === null || stream === undefined) return
  try {
    yield* stream as AsyncIterable<Uint8Array>
  } catch {
    // Only the end of the process matters, and `ended` tells it.
  }
}

function findIn(folders: readonly string[], name: string): string | undefined {
  return folders.map((folder) => `${folder}/${name}`).find(isExecutable)
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, fsConstants.X_OK)
    return true
  } catch {
    return false
  }
}
