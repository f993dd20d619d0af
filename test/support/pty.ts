import { execFile } from 'node:child_process'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { startProcess, type ProcessInit, type RunningProcess } from './process.ts'

/** What {@link startTerminal} runs. */
export interface TerminalInit extends ProcessInit {
  /** Default 100. */
  readonly columns?: number
  /** Default 30. */
  readonly rows?: number
}

/** A command in a pseudo-terminal: what it draws is in `stdout`, `write` types. */
export interface Terminal extends RunningProcess {
  /** Types a line and presses Enter. */
  type(line: string): void
  /** Presses Ctrl and a letter, for example `c` or `d`. */
  control(letter: string): void
}

/** Programs that can open a pseudo-terminal, best first. */
const WRAPPERS: readonly { program: string; args: (command: string) => string[] }[] = [
  { program: 'script', args: (command) => ['-qfec', command, '/dev/null'] },
  {
    program: 'python3',
    args: (command) => ['-c', PYTHON_PTY, command]
  }
]

/** How long a command that is about to end gets to do so by itself. */
const END_GRACE_MS = 200

const PYTHON_PTY =
  'import os,pty,sys; s=pty.spawn(["/bin/sh","-c",sys.argv[1]]); sys.exit(os.waitstatus_to_exitcode(s) % 256)'

const run = promisify(execFile)
let wrapper: Promise<(typeof WRAPPERS)[number] | undefined> | undefined

/** Whether this machine can open a pseudo-terminal for a test. */
export async function hasTerminal(): Promise<boolean> {
  return (await findWrapper()) !== undefined
}

/**
 * Runs a command in a pseudo-terminal. Ends with the command's exit code.
 *
 * @throws Error when neither `script` nor `python3` is installed; see `requirements.ts` for skipping by name
 */
export async function startTerminal(init: TerminalInit): Promise<Terminal> {
  const found = await findWrapper()
  if (found === undefined) throw new Error('expected script (bsdutils) or python3 on this machine')
  const size = `stty cols ${String(init.columns ?? 100)} rows ${String(init.rows ?? 30)}`
  const command = [init.command, ...(init.args ?? [])].map(quoted).join(' ')
  const running = await startProcess({
    ...init,
    command: found.program,
    args: found.args(`${size}; exec ${command}`),
    env: { TERM: 'xterm-256color', ...(init.env ?? process.env), SHELL: '/bin/sh' }
  })
  return {
    ...running,
    type: (line) => running.write(`${line}\r`),
    control: (letter) => running.write(String.fromCharCode(letter.toUpperCase().charCodeAt(0) - 64)),
    [Symbol.asyncDispose]: async () => {
      // Asked to terminate, script waits two seconds for its child; when the terminal is gone the child hangs up.
      await Promise.race([running.ended, sleep(END_GRACE_MS, undefined, { ref: false })])
      await running.end({ signal: 'SIGKILL' })
    }
  }
}

function quoted(word: string): string {
  return `'${word.replaceAll("'", `'\\''`)}'`
}

function findWrapper(): Promise<(typeof WRAPPERS)[number] | undefined> {
  wrapper ??= (async () => {
    for (const candidate of WRAPPERS) {
      try {
        await run('/bin/sh', ['-c', `command -v ${candidate.program}`])
        return candidate
      } catch {
        continue
      }
    }
    return undefined
  })()
  return wrapper
}
