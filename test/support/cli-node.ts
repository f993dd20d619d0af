import assert from 'node:assert/strict'
import { exitCodeOf } from '../../cli/exit-codes.ts'
import type { CliHome, CliInit, CliResult } from './cli.ts'
import type { RunningProcess } from './process.ts'

/** What a node says of itself, as `--json` prints it. */
export type NodeFacts = Record<string, unknown> & {
  readonly did: string
  readonly personDid: string
  readonly peerId: string
  readonly pid: number
  readonly addresses: readonly string[]
  readonly dataFolder: string
}

/** A node started by the command line in the foreground; disposing it ends it. */
export interface CliNode extends AsyncDisposable {
  readonly process: RunningProcess
  readonly status: NodeFacts
  /** Runs a command against this node; it never starts another. */
  run(args: readonly string[], o?: { input?: string; timeoutMs?: number }): Promise<CliResult>
  /** Runs a command that must succeed. */
  succeed(args: readonly string[], o?: { input?: string; timeoutMs?: number }): Promise<CliResult>
  /** Asserts that the node still does its work. */
  answers(): Promise<void>
  /** Stops it as Ctrl-C does and asserts that it ended cleanly. */
  stop(): Promise<void>
}

/** Options of {@link startCliNode}. */
export interface CliNodeInit extends CliInit {
  /** `['seed', 'start', …]` for a seed; `['node', 'start']` by default. */
  readonly command?: readonly string[]
  readonly flags?: readonly string[]
  /** How long it may take to listen: 30 s unless many start at a time. */
  readonly listenMs?: number
}

const LISTEN_MS = 30_000

/** Starts a node on `data` and waits until it listens. */
export async function startCliNode(home: CliHome, data: string, o: CliNodeInit = {}): Promise<CliNode> {
  const { command = ['node', 'start'], flags = [], listenMs = LISTEN_MS, ...init } = o
  const process = await home.start([...command, '--json', '--no-mdns', '--data', data, ...flags], init)
  const status = (await process.event('listening', { timeoutMs: listenMs }).catch(async (error: unknown) => {
    await process.end()
    throw error
  })) as NodeFacts
  const run: CliNode['run'] = async (args, options) =>
    await home.run([...args, '--data', data, '--json', '--no-start'], options)
  return {
    process,
    status,
    run,
    succeed: async (args, options) => assertSucceeded(await run(args, options), args),
    answers: async () => {
      const { json } = assertSucceeded(await run(['node', 'status']), ['node', 'status'])
      assert.equal(json?.['pid'], status.pid, 'another process answers in place of the node')
    },
    stop: async () => {
      const end = await process.end({ signal: 'SIGINT' })
      assert.equal(end.code, 0, process.stderr.text())
    },
    [Symbol.asyncDispose]: async () => {
      await process.end()
    }
  }
}

/** Starts a seed for one machine whose ports are free ones. */
export async function startCliSeed(home: CliHome, data: string, o: CliNodeInit = {}): Promise<CliNode> {
  const { flags = [], ...init } = o
  return await startCliNode(home, data, {
    ...init,
    command: ['seed', 'start', '--dev'],
    flags: ['--http', '127.0.0.1:0', '--metrics-port', '0', ...flags]
  })
}

/** Asserts success and hands the result on. */
export function assertSucceeded(result: CliResult, args: readonly string[]): CliResult {
  assert.equal(result.code, 0, `${args.join(' ')}: ${result.stderr}${result.stdout}`)
  return result
}

/**
 * Asserts that a command run with `--json` was refused: one JSON object on standard error with one of `codes`, and the
 * exit code that scripts know it by. Returns code and sentence.
 */
export function assertRefused(result: CliResult, ...codes: string[]): { code: string; message: string } {
  const lines = result.stderr.split('\n').filter((line) => line.startsWith('{"error"'))
  assert.equal(lines.length, 1, `expected one error, got: ${result.stderr}${result.stdout}`)
  const { error } = JSON.parse(lines[0] ?? '') as { error: { code: string; message: string } }
  assert.ok(codes.includes(error.code), `expected ${codes.join(' or ')}, got ${JSON.stringify(error)}`)
  assert.equal(result.code, exitCodeOf(error.code), `exit code of ${error.code}`)
  return error
}
