import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { StringDecoder } from 'node:string_decoder'
import { createOutput, type Output, type Wait } from './output.ts'

/** How a process ended: an exit code, or the signal that ended it. */
export interface ProcessEnd {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

/** What {@link startProcess} runs. */
export interface ProcessInit {
  readonly command: string
  readonly args?: readonly string[]
  readonly cwd?: string
  /** The whole environment; the test's own when absent. */
  readonly env?: NodeJS.ProcessEnv
}

/** A child process whose output is kept (bounded) and can be waited for. Disposing it ends it. */
export interface RunningProcess extends AsyncDisposable {
  readonly pid: number
  readonly stdout: Output
  readonly stderr: Output
  /** Resolves when the process has ended and its output is complete. */
  readonly ended: Promise<ProcessEnd>
  write(text: string): void
  /** Closes its standard input. */
  endInput(): void
  signal(name: NodeJS.Signals): void
  /** Asks it to end with `signal` (SIGTERM), then kills it after `graceMs` (5 s). */
  end(o?: { signal?: NodeJS.Signals; graceMs?: number }): Promise<ProcessEnd>
  /** Resolves with the next JSON line of standard output whose `event` is `name`. */
  event(name: string, o?: Wait): Promise<Record<string, unknown>>
}

const GRACE_MS = 5_000

/**
 * Starts a process with pipes for its standard streams.
 *
 * @throws the spawn error, for example ENOENT
 */
export async function startProcess(init: ProcessInit): Promise<RunningProcess> {
  const child = spawn(init.command, init.args ?? [], {
    cwd: init.cwd,
    env: init.env ?? process.env,
    stdio: ['pipe', 'pipe', 'pipe']
  })
  const ended = endOf(child)
  ended.catch(() => undefined)
  const stdout = outputOf(child.stdout)
  const stderr = outputOf(child.stderr)
  // A process that ends early closes the pipe; the test learns of it from `ended`.
  child.stdin.on('error', () => undefined)
  await once(child, 'spawn')
  const end: RunningProcess['end'] = (o) => endProcess(child, ended, o ?? {})
  return {
    pid: child.pid ?? -1,
    stdout,
    stderr,
    ended,
    write: (text) => void child.stdin.write(text),
    endInput: () => void child.stdin.end(),
    signal: (name) => void child.kill(name),
    end,
    event: (name, o) => stdout.event(name, { context: () => stderr.text(), ...o }),
    [Symbol.asyncDispose]: async () => {
      await end()
    }
  }
}

function outputOf(stream: NodeJS.ReadableStream): Output {
  const decoder = new StringDecoder('utf8')
  const output = createOutput()
  stream.on('data', (chunk: Buffer) => output.push(decoder.write(chunk)))
  stream.on('close', () => output.close())
  return output
}

async function endOf(child: ChildProcess): Promise<ProcessEnd> {
  // 'close' comes after 'exit' and after the pipes are drained; a daemon that inherited them would delay it
  // for ever, so the exit alone counts after a moment.
  const [code, signal] = (await once(child, 'exit')) as [number | null, NodeJS.Signals | null]
  if (child.stdout?.closed !== true || child.stderr?.closed !== true) {
    const timeout = new AbortController()
    const timer = setTimeout(() => timeout.abort(), 500)
    await once(child, 'close', { signal: timeout.signal }).catch(() => undefined)
    clearTimeout(timer)
  }
  return { code, signal }
}

async function endProcess(
  child: ChildProcess,
  ended: Promise<ProcessEnd>,
  o: { signal?: NodeJS.Signals; graceMs?: number }
): Promise<ProcessEnd> {
  if (child.exitCode === null && child.signalCode === null) {
    child.kill(o.signal ?? 'SIGTERM')
    const timer = setTimeout(() => child.kill('SIGKILL'), o.graceMs ?? GRACE_MS)
    await ended.finally(() => clearTimeout(timer))
  }
  child.stdin?.destroy()
  child.stdout?.destroy()
  child.stderr?.destroy()
  return ended
}
