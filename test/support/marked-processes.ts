import { readdir, readFile } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'

/** The environment variable by which a test finds the processes it caused, daemons included. */
export const MARK_VARIABLE = 'ELASTOS_TEST_MARK'

/** A process that carries a test's mark. */
export interface MarkedProcess {
  readonly pid: number
  readonly command: string
}

/**
 * Processes whose environment carries `mark`, found through /proc; none where there is no /proc.
 * A process that cleared its environment is not seen.
 */
export async function markedProcesses(mark: string): Promise<MarkedProcess[]> {
  const entries = await readdir('/proc').catch(() => [])
  const found: MarkedProcess[] = []
  for (const entry of entries) {
    const pid = Number(entry)
    if (!Number.isInteger(pid) || pid === process.pid) continue
    const environment = await readProc(pid, 'environ')
    if (!environment.split('\0').includes(`${MARK_VARIABLE}=${mark}`)) continue
    if (/^State:\s*Z/m.test(await readProc(pid, 'status'))) continue
    const commandLine = await readProc(pid, 'cmdline')
    found.push({ pid, command: commandLine.split('\0').join(' ').trim() })
  }
  return found
}

/** Ends every process that carries `mark`: SIGTERM, then SIGKILL after `graceMs`. Returns those it found first. */
export async function endMarkedProcesses(mark: string, graceMs = 3_000): Promise<MarkedProcess[]> {
  const found = await markedProcesses(mark)
  for (const { pid } of found) signalQuietly(pid, 'SIGTERM')
  const deadline = performance.now() + graceMs
  let left = found
  while (left.length > 0 && performance.now() < deadline) {
    await sleep(25)
    left = await markedProcesses(mark)
  }
  for (const { pid } of left) signalQuietly(pid, 'SIGKILL')
  return found
}

function signalQuietly(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal)
  } catch {
    // It ended by itself in between.
  }
}

async function readProc(pid: number, name: string): Promise<string> {
  return readFile(`/proc/${String(pid)}/${name}`, 'utf8').catch(() => '')
}
