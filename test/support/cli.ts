import { execFile } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { endMarkedProcesses, markedProcesses, MARK_VARIABLE, type MarkedProcess } from './marked-processes.ts'
import { startProcess, type ProcessEnd, type RunningProcess } from './process.ts'
import { startTerminal, type Terminal, type TerminalInit } from './pty.ts'
import { createTemporaryFolder } from './temporary-folder.ts'

/** The checkout's root. */
export const ROOT: string = join(import.meta.dirname, '..', '..')

/** What a finished command left behind. */
export interface CliResult extends ProcessEnd {
  readonly stdout: string
  readonly stderr: string
  /** The last JSON line of standard output, `undefined` when there is none. */
  readonly json: Record<string, unknown> | undefined
}

/** Options of one command. */
export interface CliInit {
  readonly env?: NodeJS.ProcessEnv
  readonly cwd?: string
  /** A command that runs the one put behind it, somewhere else: in a namespace, say. */
  readonly within?: readonly string[]
}

type TerminalSize = Pick<TerminalInit, 'columns' | 'rows'>

/**
 * One person's machine: a home folder of its own, so that no test sees another's node or the developer's.
 * Disposing it ends what still runs and removes the folder.
 */
export interface CliHome extends AsyncDisposable {
  readonly folder: string
  /** Where `elastos` keeps its data by default. */
  readonly dataFolder: string
  readonly env: NodeJS.ProcessEnv
  /** Runs `elastos …args` to its end; standard input is `input` (empty) and no terminal. */
  run(args: readonly string[], o?: CliInit & { input?: string; timeoutMs?: number }): Promise<CliResult>
  /** Starts `elastos …args` and leaves it running. */
  start(args: readonly string[], o?: CliInit): Promise<RunningProcess>
  /** Starts `elastos …args` in a pseudo-terminal. */
  terminal(args: readonly string[], o?: CliInit & TerminalSize): Promise<Terminal>
  /** What runs on behalf of this home now, daemons included. */
  running(): Promise<MarkedProcess[]>
}

const RUN_TIMEOUT_MS = 60_000
const LAUNCHER = join(ROOT, 'elastos')

/** Makes a home with nothing in it, after making sure that the bundle is built from today's sources. */
export async function createCliHome(): Promise<CliHome> {
  await buildOnce()
  const folder = await createTemporaryFolder()
  const mark = randomUUID()
  const env = await environmentOf(folder.path, mark)
  const start: CliHome['start'] = (args, o = {}) => {
    const [command = LAUNCHER, ...rest] = [...(o.within ?? []), LAUNCHER, ...args]
    return startProcess({ command, args: rest, cwd: o.cwd ?? folder.path, env: { ...env, ...o.env } })
  }
  return {
    folder: folder.path,
    dataFolder: join(folder.path, 'data', 'elastos'),
    env,
    start,
    run: async (args, o = {}) => finish(await start(args, o), o),
    terminal: (args, { cwd = folder.path, env: more, within: _none, ...size } = {}) =>
      startTerminal({ command: LAUNCHER, args, cwd, env: { ...env, ...more }, ...size }),
    running: () => markedProcesses(mark),
    [Symbol.asyncDispose]: async () => {
      await endMarkedProcesses(mark)
      await folder[Symbol.asyncDispose]()
    }
  }
}

async function finish(
  running: RunningProcess,
  o: { input?: string; timeoutMs?: number }
): Promise<CliResult> {
  if (o.input !== undefined) running.write(o.input)
  running.endInput()
  const timer = setTimeout(() => running.signal('SIGKILL'), o.timeoutMs ?? RUN_TIMEOUT_MS)
  const end = await running.ended.finally(() => clearTimeout(timer))
  return {
    ...end,
    stdout: running.stdout.text(),
    stderr: running.stderr.text(),
    json: running.stdout.events().at(-1)
  }
}

async function environmentOf(folder: string, mark: string): Promise<NodeJS.ProcessEnv> {
  const folders = {
    XDG_DATA_HOME: 'data',
    XDG_CONFIG_HOME: 'config',
    XDG_CACHE_HOME: 'cache',
    XDG_RUNTIME_DIR: 'run'
  }
  const env: NodeJS.ProcessEnv = {
    PATH: process.env['PATH'],
    LANG: 'C.UTF-8',
    TERM: 'dumb',
    HOME: folder,
    [MARK_VARIABLE]: mark
  }
  for (const [name, child] of Object.entries(folders)) {
    const path = join(folder, child)
    await mkdir(path, { mode: 0o700 })
    env[name] = path
  }
  return env
}

let built: Promise<unknown> | undefined

function buildOnce(): Promise<unknown> {
  built ??= promisify(execFile)(process.execPath, [join(ROOT, 'scripts', 'build.js')])
  return built
}
