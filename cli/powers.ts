/** The only file of this folder that touches the process, the file system and sockets. */
import { lstatSync, realpathSync, type Stats } from 'node:fs'
import { open } from 'node:fs/promises'
import { connect as connectSocket, type Socket } from 'node:net'
import { homedir, tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { Writable } from 'node:stream'
import { isatty } from 'node:tty'
import { controlSocketPath, defaultDataFolder, errorCode, systemClock, type PathFacts } from '#contracts'
import { createControlClient, type ControlSocket } from './client.ts'
import type { CliContext, ControlClient, OutputStream } from './context.ts'
import { CliError } from './errors.ts'
import { startNodeProcess } from './node-process/powers.ts'
import { printNotice } from './output.ts'

/** What the command line said about the node, before any command runs. */
export interface ContextInit {
  readonly json: boolean
  readonly dataFolder: string | undefined
  readonly mayStart: boolean
  readonly nodeFlags: readonly string[]
  readonly signal: AbortSignal
}

/** Facts about the machine that paths depend on. */
export function readPathFacts(): PathFacts {
  return {
    environment: process.env,
    platform: process.platform,
    homeFolder: homedir(),
    temporaryFolder: tmpdir(),
    userId: process.getuid?.() ?? 0
  }
}

/** Builds the context of this process. */
export function createProcessContext(init: ContextInit): CliContext {
  const facts = readPathFacts()
  const chosen = init.dataFolder ?? facts.environment['ELASTOS_DATA'] ?? defaultDataFolder(facts)
  const dataFolder = withoutLinks(resolve(chosen))
  const socketPath = controlSocketPath(dataFolder, facts)
  const connectIfRunning = async (): Promise<ControlClient | undefined> => {
    const socket = await openControlSocket(socketPath)
    return socket === undefined ? undefined : createControlClient(socket, systemClock)
  }
  const startDetached = async (flags: readonly string[]): Promise<{ pid: number }> =>
    await startNodeProcess({ dataFolder, flags, connectIfRunning, signal: init.signal })
  const context: CliContext = {
    stdout: createOutput(process.stdout),
    stderr: createOutput(process.stderr),
    get stdin() {
      return standardInput()
    },
    get stdinIsTerminal() {
      return isatty(STANDARD_INPUT)
    },
    json: init.json,
    dataFolder,
    workingFolder: process.cwd(),
    clock: systemClock,
    utcOffsetMinutes: -new Date(systemClock.nowMs()).getTimezoneOffset(),
    signal: init.signal,
    nodeFlags: init.nodeFlags,
    connectIfRunning,
    connect: async () => await connectOrStart(context, init.mayStart),
    ask: async (question, options = {}) =>
      await askOnTerminal(question, options.secret === true, init.signal),
    openTerminal: openRawTerminal,
    setRawMode: (isRaw) => {
      if (isatty(STANDARD_INPUT)) standardInput().setRawMode(isRaw)
    },
    onResize: (task) => {
      process.stdout.on('resize', task)
      return { [Symbol.dispose]: () => process.stdout.off('resize', task) }
    },
    isProcessRunning,
    environment: process.env,
    restrictNewFiles: () => void process.umask(0o077),
    readLog: (options) => readLogLines(join(dataFolder, 'log', 'node.log'), options, init.signal),
    startDetached
  }
  return context
}

/** The path of a folder that exists with its links resolved: files for their owner alone are not read through links. */
function withoutLinks(folder: string): string {
  try {
    return realpathSync(folder)
  } catch {
    return folder
  }
}

async function connectOrStart(context: CliContext, mayStart: boolean): Promise<ControlClient> {
  const { dataFolder, nodeFlags } = context
  const running = await context.connectIfRunning()
  if (running !== undefined) {
    if (nodeFlags.length > 0) {
      await printNotice(
        context,
        `a node runs already, so ${nodeFlags.join(' ')} changes nothing: restart it with that`
      )
    }
    return running
  }
  if (!mayStart) {
    throw new CliError(
      'ERR_NODE_NOT_RUNNING',
      `no node runs on ${dataFolder}: start one with 'elastos node start', or leave out --no-start`
    )
  }
  await context.startDetached(nodeFlags)
  const started = await context.connectIfRunning()
  if (started !== undefined) return started
  throw new CliError('ERR_NODE_START_FAILED', `a node was started on ${dataFolder} but ended at once`)
}

function createOutput(stream: NodeJS.WriteStream): OutputStream {
  // A reader that went away (`| head`) ends the output, not the command.
  let isBroken = false
  stream.on('error', () => (isBroken = true))
  return {
    write: async (text) => {
      if (isBroken) return
      await new Promise<void>((taken) => stream.write(text, () => taken()))
    },
    get isTerminal() {
      return stream.isTTY
    },
    get columns() {
      return stream.columns
    },
    get rows() {
      return stream.rows
    }
  }
}

/** Opens the control socket; `undefined` when nobody listens there. */
async function openControlSocket(path: string): Promise<ControlSocket | undefined> {
  const socket = connectSocket(path)
  try {
    await new Promise<void>((connected, failed) => {
      socket.once('connect', connected)
      socket.once('error', failed)
    })
  } catch (cause) {
    socket.destroy()
    const code = errorCode(cause)
    if (code === 'ENOENT' || code === 'ECONNREFUSED' || code === 'ENOTDIR') return undefined
    throw new CliError(
      'ERR_NODE_UNREACHABLE',
      `cannot open the control socket ${path}: ${code ?? 'unknown'}`,
      {
        cause
      }
    )
  }
  socket.on('error', () => undefined)
  const folder = dirname(path)
  if (!isOwn(lstatSync(folder))) {
    socket.destroy()
    throw new CliError(
      'ERR_NODE_UNREACHABLE',
      `expected ${folder} to be a folder of yours alone: another user may listen there`
    )
  }
  return wrapSocket(socket)
}

/** The folder of a socket in the temporary folder could be made by anybody, who would then be told what a node is told. */
function isOwn(folder: Stats): boolean {
  const userId = process.geteuid?.()
  return (
    userId === undefined || (folder.isDirectory() && folder.uid === userId && (folder.mode & 0o077) === 0)
  )
}

function wrapSocket(socket: Socket): ControlSocket {
  return {
    incoming: socket,
    write: async (text) => {
      await new Promise<void>((taken, failed) => {
        socket.write(text, (error) => {
          if (error) failed(error)
          else taken()
        })
      })
    },
    close: () => {
      socket.end()
      socket.destroySoon()
    }
  }
}

async function askOnTerminal(
  question: string,
  isSecret: boolean,
  signal: AbortSignal
): Promise<string | undefined> {
  if (!isatty(STANDARD_INPUT)) {
    throw new CliError('ERR_TERMINAL_NEEDED', `expected a terminal to ask on: ${question.trim()}`)
  }
  if (signal.aborted) return undefined
  const silent = new Writable({ write: (_chunk, _encoding, done) => done() })
  const lines = createInterface({
    input: standardInput(),
    output: isSecret ? silent : process.stderr,
    terminal: true,
    prompt: question
  })
  // Asked only now that the terminal echoes nothing by itself: an answer may follow at once.
  if (isSecret) process.stderr.write(question)
  else lines.prompt()
  const abort = (): void => lines.close()
  signal.addEventListener('abort', abort, { once: true })
  lines.once('SIGINT', () => process.kill(process.pid, 'SIGINT'))
  try {
    return await new Promise<string | undefined>((answered) => {
      lines.once('line', answered)
      lines.once('close', () => answered(undefined))
    })
  } finally {
    signal.removeEventListener('abort', abort)
    lines.close()
    if (isSecret) process.stderr.write('\n')
  }
}

function openRawTerminal(): ReturnType<CliContext['openTerminal']> {
  const input = standardInput()
  input.setRawMode(true)
  const resizeTasks: (() => void)[] = []
  return {
    keys: input,
    onResize: (task) => {
      resizeTasks.push(task)
      process.stdout.on('resize', task)
    },
    [Symbol.dispose]: () => {
      for (const task of resizeTasks) process.stdout.off('resize', task)
      input.setRawMode(false)
      input.pause()
    }
  }
}

/** The arguments of this process, without the program itself. */
export function processArguments(): string[] {
  return process.argv.slice(2)
}

/** The output streams of this process. */
export function processOutput(): { stdout: OutputStream; stderr: OutputStream } {
  return { stdout: createOutput(process.stdout), stderr: createOutput(process.stderr) }
}

/** Turns the first SIGINT, SIGTERM or SIGHUP into an abort; a second one ends the process at once, as is usual. */
export function listenForSignals(): { readonly signal: AbortSignal } & Disposable {
  const controller = new AbortController()
  const names = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const
  const stop = (): void => {
    controller.abort(new CliError('ERR_CANCELLED', 'interrupted'))
    release()
  }
  const release = (): void => {
    for (const name of names) process.off(name, stop)
  }
  for (const name of names) process.on(name, stop)
  return { signal: controller.signal, [Symbol.dispose]: release }
}

function isProcessRunning(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (thrown) {
    return errorCode(thrown) === 'EPERM'
  }
}

const LOG_POLL_MS = 200
const LOG_TAIL_BYTES_MAX = 8 * 1024 * 1024

async function* readLogLines(
  path: string,
  { lastLines, isFollowing }: { lastLines: number; isFollowing: boolean },
  signal: AbortSignal
): AsyncIterable<string> {
  let tail = await readFrom(path, 'end')
  const lines = tail.text.split('\n')
  yield* lines.slice(0, -1).slice(lastLines === 0 ? lines.length : -lastLines)
  let rest = lines.at(-1) ?? ''
  while (isFollowing && !signal.aborted) {
    await systemClock.sleep(LOG_POLL_MS, signal).catch(() => undefined)
    tail = await readFrom(path, tail.end)
    const parts = (rest + tail.text).split('\n')
    rest = parts.pop() ?? ''
    yield* parts
  }
}

/** Reads what was written since `from`; a file that became shorter was begun anew and is read whole. */
async function readFrom(path: string, from: number | 'end'): Promise<{ text: string; end: number }> {
  const file = await open(path, 'r').catch((thrown: unknown) => {
    if (errorCode(thrown) === 'ENOENT') return undefined
    throw thrown
  })
  if (file === undefined) return { text: '', end: 0 }
  try {
    const { size } = await file.stat()
    const start = from === 'end' ? Math.max(0, size - LOG_TAIL_BYTES_MAX) : from > size ? 0 : from
    const length = Math.min(size - start, LOG_TAIL_BYTES_MAX)
    const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, start)
    return { text: buffer.subarray(0, bytesRead).toString('utf8'), end: start + bytesRead }
  } finally {
    await file.close()
  }
}

const STANDARD_INPUT = 0
let isInputOpen = false

/** Opened by those who read it only: merely looking at `process.stdin` takes 8 ms. */
function standardInput(): typeof process.stdin {
  isInputOpen = true
  return process.stdin
}

/** Lets go of standard input, so that a command that has ended does not wait for more of it. */
export function releaseInput(): void {
  if (isInputOpen) process.stdin.destroy()
}
