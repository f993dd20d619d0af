/** Starts a node as a process of its own, for commands that need one and for `--detach`. */
import { spawn, type ChildProcess } from 'node:child_process'
import { closeSync, fstatSync, mkdirSync, openSync, readSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { errorCode, systemClock } from '#contracts'
import type { ControlClient } from '../context.ts'
import { CliError, RemoteError } from '../errors.ts'

/** How long a node may take from its start to its first answer. */
const START_DEADLINE_MS = 30_000
const START_POLL_MS = 25

/** What a node is started with. */
export interface NodeProcessInit {
  readonly dataFolder: string
  /** Options of `node start`; another long-running command's name may come first, such as `seed start`. */
  readonly flags: readonly string[]
  readonly connectIfRunning: () => Promise<ControlClient | undefined>
  readonly signal: AbortSignal
}

/**
 * Starts a node in the background and waits until one answers: this one, or another that was started meanwhile.
 *
 * @throws RemoteError with the code the node ended with; CliError `ERR_NODE_START_FAILED`
 */
export async function startNodeProcess(powers: NodeProcessInit): Promise<{ pid: number }> {
  const log = openStartLog(powers.dataFolder)
  try {
    return await untilAnswering(spawnNode(powers, log), { ...powers, log })
  } finally {
    closeSync(log)
  }
}

function openStartLog(dataFolder: string): number {
  try {
    const folder = join(dataFolder, 'log')
    mkdirSync(folder, { recursive: true, mode: 0o700 })
    const path = join(folder, 'start.log')
    // A new file each time: another command may be starting a node at this moment.
    rmSync(path, { force: true })
    return openSync(path, 'a+', 0o600)
  } catch (cause) {
    const reason = errorCode(cause) ?? 'unknown'
    throw new CliError(
      'ERR_NODE_START_FAILED',
      `cannot use ${dataFolder} as the data folder (${reason}): choose another with --data`,
      { cause }
    )
  }
}

function spawnNode({ dataFolder, flags }: NodeProcessInit, log: number): ChildProcess {
  const script = process.argv[1] ?? ''
  const child = spawn(
    process.execPath,
    [...process.execArgv, script, ...nodeCommand(flags), '--data', dataFolder, '--json'],
    { detached: true, stdio: ['ignore', log, log] }
  )
  child.unref()
  return child
}

async function untilAnswering(
  child: ChildProcess,
  powers: Pick<NodeProcessInit, 'connectIfRunning' | 'signal'> & { readonly log: number }
): Promise<{ pid: number }> {
  let isEnded = false
  let failure: CliError | RemoteError | undefined
  child.once('exit', () => (isEnded = true))
  const deadlineMs = systemClock.monotonicMs() + START_DEADLINE_MS
  while (systemClock.monotonicMs() < deadlineMs) {
    const client = await powers.connectIfRunning()
    if (client !== undefined) {
      const status = await client.call('node.status', {})
      await client[Symbol.asyncDispose]()
      return { pid: status.pid }
    }
    if (isEnded) failure ??= startFailure(powers.log)
    // Another command may have started the node a moment before, which is as good once it answers.
    if (failure !== undefined && failure.code !== 'ERR_NODE_RUNNING') throw failure
    await systemClock.sleep(START_POLL_MS, powers.signal)
  }
  throw (
    failure ??
    new CliError('ERR_NODE_START_FAILED', `the node did not answer within ${START_DEADLINE_MS / 1000} s`)
  )
}

function nodeCommand(flags: readonly string[]): string[] {
  return flags[0] === 'seed' ? [...flags] : ['node', 'start', ...flags]
}

/** What a node said when it ended before it answered: the error it printed, else its last line. */
function startFailure(log: number): CliError | RemoteError {
  const lines = readTail(log).trim().split('\n')
  const last = lines.at(-1)?.slice(0, 300) ?? ''
  try {
    const refusal = lines.findLast((line) => line.startsWith('{"error":')) ?? ''
    const { error } = JSON.parse(refusal) as { error: { code: string; message: string; detail?: string[] } }
    return new RemoteError(error.code, `the node could not start: ${error.message}`, error.detail)
  } catch (cause) {
    const reason = last === '' ? "it said nothing; 'elastos node start' says why" : last
    return new CliError('ERR_NODE_START_FAILED', `the node could not start: ${reason}`, { cause })
  }
}

const START_LOG_TAIL_BYTES = 64 * 1024

function readTail(file: number): string {
  const { size } = fstatSync(file)
  const tail = Buffer.alloc(Math.min(size, START_LOG_TAIL_BYTES))
  return tail.toString('utf8', 0, readSync(file, tail, 0, tail.byteLength, size - tail.byteLength))
}
