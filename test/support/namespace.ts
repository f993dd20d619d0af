import { startProcess, type ProcessInit } from './process.ts'

/** How a command of a {@link NamespaceShell} ended and what it wrote, both streams in the order they came. */
export interface ShellStep {
  readonly code: number
  readonly text: string
}

/** A shell in namespaces of its own: what it mounts, and which addresses it adds, nobody else sees. */
export interface NamespaceShell extends AsyncDisposable {
  /** Runs a command line to its end. */
  run(line: string): Promise<ShellStep>
}

const STEP_TIMEOUT_MS = 60_000

/**
 * Starts a shell as root of a user, mount and network namespace of its own; all it changed is gone when it is disposed.
 * Ask `needs(this, 'namespaces')` first.
 */
export async function startNamespaceShell(
  init: Pick<ProcessInit, 'env' | 'cwd'> = {}
): Promise<NamespaceShell> {
  const shell = await startProcess({ ...init, command: 'unshare', args: ['-rmn', 'sh'] })
  let count = 0
  return {
    run: async (line) => {
      const event = `step-${++count}`
      const from = shell.stdout.text().length
      shell.write(`{ ${line}\n} 2>&1; printf '\\n{"event":"${event}","code":%d}\\n' $?\n`)
      const { code } = await shell.event(event, { timeoutMs: STEP_TIMEOUT_MS })
      const text = shell.stdout.text().slice(from)
      return { code: Number(code), text: text.slice(0, text.lastIndexOf('\n{"event":"step-')) }
    },
    [Symbol.asyncDispose]: async () => {
      shell.endInput()
      await shell.end()
    }
  }
}
