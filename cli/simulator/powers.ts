/** Starts the simulator, a program of its own: whole nodes need a process whose time is virtual from its first line. */
import { spawn, type ChildProcessByStdio } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'

/** How a simulator is started. */
export interface SimulatorInit {
  /** The command of the simulator and what follows it. */
  readonly args: readonly string[]
  readonly workingFolder: string
  /** Ends it. */
  readonly signal: AbortSignal
}

/** A simulator that runs, until it is disposed. */
export interface Simulator extends AsyncDisposable {
  /** The lines that it says, until it has ended. */
  readonly lines: AsyncIterable<string>
  /** Its exit code; `null` when a signal ended it. */
  readonly ended: Promise<number | null>
  /** What it wrote to standard error, the last of it. */
  errorText(): string
}

const ERROR_CHARS_MAX = 16 * 1024

const TUNABLES = 'GLIBC_TUNABLES'
/**
 * Has glibc ask the kernel for huge pages: the model reads tables of hundreds of megabytes at places that nobody can predict, and
 * with pages of 4 KiB a quarter of its time went into looking up pages. Where there is no such glibc it means nothing.
 */
const HUGE_PAGES = 'glibc.malloc.hugetlb=1'

/** The environment that a simulator runs in, made of that of this process. */
export function simulatorEnvironment(): NodeJS.ProcessEnv {
  const given = process.env[TUNABLES]
  return { ...process.env, [TUNABLES]: given === undefined ? HUGE_PAGES : `${given}:${HUGE_PAGES}` }
}

/** Starts a simulator: beside the bundle, or from the sources. */
export function startSimulator({ args, workingFolder, signal }: SimulatorInit): Simulator {
  const bundled = join(import.meta.dirname, 'sim.mjs')
  const program = existsSync(bundled) ? bundled : join(import.meta.dirname, '..', '..', 'sim', 'main.ts')
  const child = spawn(process.execPath, ['--max-old-space-size=4096', program, ...args], {
    cwd: workingFolder,
    env: simulatorEnvironment(),
    stdio: ['ignore', 'pipe', 'pipe']
  })
  const end = (): void => void child.kill('SIGTERM')
  signal.addEventListener('abort', end, { once: true })
  let errorText = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    errorText = (errorText + text).slice(-ERROR_CHARS_MAX)
  })
  const ended = whenEnded(child)
  return {
    lines: createInterface({ input: child.stdout, crlfDelay: Infinity }),
    ended,
    errorText: () => errorText,
    [Symbol.asyncDispose]: async () => {
      signal.removeEventListener('abort', end)
      if (child.exitCode === null) end()
      await ended.catch(() => undefined)
    }
  }
}

async function whenEnded(child: ChildProcessByStdio<null, Readable, Readable>): Promise<number | null> {
  const { promise, resolve, reject } = Promise.withResolvers<number | null>()
  child.once('error', reject)
  child.once('close', resolve)
  return await promise
}
