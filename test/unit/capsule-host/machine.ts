import type { HostPowers, SandboxReport, SpawnedProcess, SpawnEnd, SpawnInit } from '#capsule-host'
import { guestScript } from '../../../capsule-host/sandbox/layout.ts'

const guest = guestScript('/opt/app/dist/capsule-guest.mjs')
/** What a probe of a machine that has everything reports. */
export const SANDBOX: SandboxReport = {
  level: 'namespaces+seccomp',
  checks: [],
  process: { node: '/node', prlimit: undefined, guest },
  layout: {
    bubblewrap: '/usr/bin/bwrap',
    prlimit: '/usr/bin/prlimit',
    nice: '/usr/bin/nice',
    node: '/node',
    libraries: [],
    guest,
    arch: 'x86_64',
    identity: undefined,
    hasOwnThreadCount: true
  }
}

/** A program of a make-believe machine: what it prints and how it ends. */
export interface FakeProgram {
  readonly stdout?: string
  readonly stderr?: string
  readonly status?: string
  readonly code?: number | null
  readonly signal?: string
  /** Whether it stays, its streams open, until it is killed. */
  readonly isWaiting?: boolean
}

/** What a make-believe machine holds. */
export interface MachineInit {
  readonly platform?: string
  readonly arch?: string
  readonly kernelRelease?: string
  readonly userId?: number
  /** Programs in the usual folders, by name. */
  readonly programs?: readonly string[]
  /** Files by path. */
  readonly files?: Readonly<Record<string, string>>
  /** What happens when a program is started. */
  readonly run?: (init: SpawnInit) => FakeProgram
}

/** A machine that is only told of, with a list of what was started on it. */
export interface Machine extends HostPowers {
  readonly started: SpawnInit[]
  /** Programs that wait. */
  runningCount(): number
  /** Ends those that wait, as their own doing. */
  endAll(): void
}

/** Powers over a machine that does not exist, to see what is done on one without bubblewrap, or on another system. */
export function createMachine(init: MachineInit): Machine {
  const started: SpawnInit[] = []
  const running = new Set<SpawnedProcess>()
  const files = init.files ?? {}
  return {
    started,
    platform: init.platform ?? 'linux',
    arch: init.arch ?? 'x64',
    kernelRelease: init.kernelRelease ?? '6.1.0-21-amd64',
    userId: init.userId ?? 1000,
    nodePath: '/opt/node/bin/node',
    spawn: (spawnInit) => {
      started.push(spawnInit)
      const program = init.run?.(spawnInit) ?? {}
      if (program.isWaiting !== true) return fakeProcess(program)
      const process = waitingProcess(program)
      running.add(process)
      void process.ended.then(() => running.delete(process))
      return process
    },
    runningCount: () => running.size,
    endAll: () => {
      for (const process of running) process.kill()
    },
    killProcess: () => {
      for (const process of running) process.kill()
    },
    processorTimes: () => undefined,
    yieldSession: async () => undefined,
    findProgram: async (name) => (init.programs?.includes(name) === true ? `/usr/bin/${name}` : undefined),
    resolvePath: async (path) => path,
    readFile: async (path, bytesMax) => {
      const text = files[path]
      return text === undefined ? undefined : new TextEncoder().encode(text).slice(0, bytesMax)
    },
    fileBytes: async (path) => {
      const text = files[path]
      return text === undefined ? undefined : Buffer.byteLength(text)
    },
    listFolder: async () => [],
    makeFolder: async () => undefined,
    writeNewFile: async () => undefined,
    rename: async () => undefined,
    removeFile: async () => undefined,
    findCompiler: () => ({ compiler: '/opt/app/asc.js', library: '/opt/app/shim/asconfig.json' })
  }
}

function fakeProcess(program: FakeProgram): SpawnedProcess {
  const end: SpawnEnd = {
    code: program.code === undefined ? 0 : program.code,
    signal: program.signal ?? null
  }
  return {
    pid: 4242,
    stdout: text(program.stdout),
    stderr: text(program.stderr),
    status: text(program.status),
    waitingBytes: 0,
    write: () => undefined,
    closeInput: () => undefined,
    kill: () => undefined,
    closeOutput: () => undefined,
    ended: Promise.resolve(end)
  }
}

function waitingProcess(program: FakeProgram): SpawnedProcess {
  const ended = Promise.withResolvers<SpawnEnd>()
  const untilEnd = async function* (value: string | undefined): AsyncGenerator<Uint8Array> {
    yield* text(value)
    await ended.promise
  }
  return {
    ...fakeProcess(program),
    stdout: untilEnd(program.stdout),
    stderr: untilEnd(program.stderr),
    status: untilEnd(program.status),
    kill: () => {
      ended.resolve({ code: null, signal: 'SIGKILL' })
    },
    ended: ended.promise
  }
}

async function* text(value: string | undefined): AsyncGenerator<Uint8Array> {
  if (value !== undefined) yield Buffer.from(value, 'latin1')
}
